/** Picks the adapter that writes this system's files. */
import { LinuxTargetFiles } from "./linux/target-files.ts";
import { NodeTargetFiles } from "./node/target-files.ts";
import type { TargetFiles } from "./ports/target-files.ts";

/** The writer of files for this thread; make one a thread and keep it. */
export function openTargetFiles(): TargetFiles {
  return process.platform === "linux" ? new LinuxTargetFiles() : new NodeTargetFiles();
}
