/** Chooses how this system limits processes. */
import { LinuxProcessLimits } from "./linux/process-limits.ts";
import { PortableProcessLimits } from "./node/portable-process-limits.ts";
import type { ProcessLimits } from "./ports/process-limits.ts";

export function openProcessLimits(): ProcessLimits {
  return process.platform === "linux" ? new LinuxProcessLimits() : new PortableProcessLimits();
}
