/** Chooses how this system limits processes. */
import { DarwinProcessLimits } from "./darwin/process-limits.ts";
import { LinuxProcessLimits } from "./linux/process-limits.ts";
import { PortableProcessLimits } from "./node/portable-process-limits.ts";
import type { ProcessLimits } from "./ports/process-limits.ts";
import { WindowsProcessLimits } from "./windows/process-limits.ts";

export function openProcessLimits(): ProcessLimits {
  switch (process.platform) {
    case "linux":
      return new LinuxProcessLimits();
    case "darwin":
      return new DarwinProcessLimits();
    case "win32":
      return new WindowsProcessLimits();
    default:
      return new PortableProcessLimits();
  }
}
