/** Chooses how this system writes durable files. */
import { openLinuxFileCalls } from "./linux/linux-file-calls.ts";
import { type FileCalls, fileCalls } from "./node/file-calls.ts";
import { NodeDurableFiles } from "./node/node-durable-files.ts";
import type { DurabilityWarning, DurableFiles } from "./ports/durable-files.ts";

export interface DurableFilesOptions {
  /** The file calls to use; Node's by default. */
  readonly calls?: FileCalls;
  /** Told once. */
  readonly warn?: (warning: DurabilityWarning) => void;
}

/** Durable files with the best that this system has. */
export function openDurableFiles(options: DurableFilesOptions = {}): DurableFiles {
  const extra =
    process.platform === "linux" ? openLinuxFileCalls(options.calls ?? fileCalls) : undefined;
  return new NodeDurableFiles({ ...options, ...(extra === undefined ? {} : { extra }) });
}
