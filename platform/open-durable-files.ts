/** Chooses how this system writes durable files. */
import { NodeDurableFiles, type NodeDurableFilesOptions } from "./node/node-durable-files.ts";
import type { DurableFiles } from "./ports/durable-files.ts";

/** Durable files with the best that this system has. */
export function openDurableFiles(options: NodeDurableFilesOptions = {}): DurableFiles {
  return new NodeDurableFiles(options);
}
