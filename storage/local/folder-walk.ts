/** Streams the names in a repository's folders, a bounded batch at a time, however many there are. */
import type { Dir } from "node:fs";
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
  const entries = await tryOpen(calls, folder);
  if (entries === undefined) return;
  const seen = new Set<string>();
  let names: string[] = [];
  // Iterating closes the folder, also when the consumer stops early.
  for await (const entry of entries) {
    if (!isWanted(entry.name) || entry.isDirectory() || seen.has(entry.name)) continue;
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
export async function foldersOf(
  calls: FileCalls,
  root: string,
  type: FileType,
): Promise<readonly string[]> {
  if (type === "config") return [root];
  if (type !== "data") return [join(root, type)];
  const entries = await tryOpen(calls, join(root, "data"));
  if (entries === undefined) return [];
  const names: string[] = [];
  for await (const { name } of entries) if (/^[0-9a-f]{2}$/.test(name)) names.push(name);
  return names.sort().map((name) => join(root, "data", name));
}

async function tryOpen(calls: FileCalls, folder: string): Promise<Dir | undefined> {
  try {
    return await calls.opendir(folder, { bufferSize: batchNames });
  } catch (error) {
    const name = systemErrorName(error);
    if (name === "ENOENT" || name === "ENOTDIR") return undefined;
    throw error;
  }
}
