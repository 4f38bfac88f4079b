/** Picks the adapter that reads this system's files. */
import { LinuxSourceFiles } from "./linux/linux-source-files.ts";
import { NodeSourceFiles } from "./node/node-source-files.ts";
import type { SourceFiles } from "./ports/source-files.ts";

/** The reader of files for this thread; make one a thread and keep it. */
export function openSourceFiles(): SourceFiles {
  return process.platform === "linux" ? new LinuxSourceFiles() : new NodeSourceFiles();
}
