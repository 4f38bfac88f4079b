/** Streams the names in a repository's folders, a bounded batch at a time, however many there are. */
import type { Dirent } from "node:fs";
import { join } from "node:path";
import type { FileCalls } from "../../platform/node/file-calls.ts";
import type { FileType } from "../object-store.ts";
import { systemErrorName } from "./local-errors.ts";

/** How many names are looked at together. */
const batchNames = 256;

/** Some names of one folder. */
export interface NameBatch {
  readonly folder: string;
  readonly names: readonly string[];
}

/**
 * The names of entries that are no folders in one folder, each once, in batches. A folder that is missing
 * (or is none) has no names.
 */
export async function* walkFolder(
  calls: FileCalls,
  folder: string,
  isWanted: (name: string) => boolean,
): AsyncIterable<NameBatch> {
  const seen = new Set<string>();
  let names: string[] = [];
  for await (const entry of entriesOf(calls, folder)) {
    if (entry.isDirectory() || !isWanted(entry.name) || seen.has(entry.name)) continue;
    seen.add(entry.name);
    names.push(entry.name);
    if (names.length === batchNames) {
      yield { folder, names };
      names = [];
    }
  }
  if (names.length > 0) yield { folder, names };
}

/** The folders that hold files of a type, which need not exist: one, or those below `data`. */
export async function* foldersOf(
  calls: FileCalls,
  root: string,
  type: FileType,
): AsyncIterable<string> {
  if (type === "config") yield root;
  else if (type !== "data") yield join(root, type);
  else {
    // Listed first and walked later, so that a slow consumer holds one open folder, not two.
    const names: string[] = [];
    for await (const entry of entriesOf(calls, join(root, "data")))
      if (/^[0-9a-f]{2}$/.test(entry.name)) names.push(entry.name);
    for (const name of names.sort()) yield join(root, "data", name);
  }
}

async function* entriesOf(calls: FileCalls, folder: string): AsyncIterable<Dirent> {
  try {
    // Iterating closes the folder, also when the consumer stops early.
    yield* await calls.opendir(folder, { bufferSize: batchNames });
  } catch (error) {
    const name = systemErrorName(error);
    if (name !== "ENOENT" && name !== "ENOTDIR") throw error;
  }
}
