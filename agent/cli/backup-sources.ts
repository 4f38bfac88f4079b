/** The paths of a backup: operands, and lists in files. */
import { lstatSync, readdirSync } from "node:fs";
import { argumentBytes } from "../../platform/process-arguments.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  expandPathPattern,
  type PathLister,
  parseFilesFrom,
  parseFilesFromRaw,
  parseFilesFromVerbatim,
} from "../backup/select/files-from.ts";
import { readListFile } from "./list-file.ts";
import { printedName } from "./printed-text.ts";
import type { Screen } from "./screen.ts";

export interface SourceOptions {
  readonly filesFrom: readonly string[];
  readonly filesFromVerbatim: readonly string[];
  readonly filesFromRaw: readonly string[];
}

/**
 * Raw bytes of all paths, each once. USAGE if none is named, SOURCE_MISSING if the lists name none,
 * LIST_UNREADABLE for a list that can't be read. A pattern of a list that matches nothing is named on stderr.
 */
export function backupSources(
  operands: readonly string[],
  options: SourceOptions,
  screen: Screen,
): Uint8Array[] {
  const paths = operands.map((text) => argumentBytes(text));
  if (paths.some((path) => path.length === 0))
    throw new BackstayError("USAGE", { problem: "a path is empty" });
  for (const file of options.filesFrom) {
    for (const pattern of parseFilesFrom(readListFile(file, "--files-from"))) {
      const found = [...expandPathPattern(pattern, lister)];
      if (found.length === 0)
        screen.note(`warning: ${pattern.origin}: nothing matches ${printedName(pattern.text)}`);
      paths.push(...found);
    }
  }
  for (const file of options.filesFromVerbatim)
    paths.push(...parseFilesFromVerbatim(readListFile(file, "--files-from-verbatim")));
  for (const file of options.filesFromRaw)
    paths.push(...parseFilesFromRaw(readListFile(file, "--files-from-raw")));
  const lists = [options.filesFrom, options.filesFromVerbatim, options.filesFromRaw].flat();
  if (paths.length === 0 && lists.length > 0)
    throw new BackstayError("SOURCE_MISSING", { lists: lists.join(", ") });
  if (paths.length === 0)
    throw new BackstayError("USAGE", {
      command: "backup",
      problem: "nothing to back up is named; give at least one path",
    });
  return unique(paths);
}

function unique(paths: readonly Uint8Array[]): Uint8Array[] {
  return [...new Map(paths.map((path) => [Buffer.from(path).toString("latin1"), path])).values()];
}

const lister: PathLister = {
  exists(path) {
    try {
      return lstatSync(Buffer.from(path), { throwIfNoEntry: false }) !== undefined;
    } catch {
      // Something on the way can't be entered: as good as absent.
      return false;
    }
  },
  names(directory) {
    try {
      const names = readdirSync(Buffer.from(directory), { encoding: "buffer" });
      return names.sort((a, b) => Buffer.compare(a, b));
    } catch {
      // What can't be listed matches nothing; the caller says so.
      return [];
    }
  },
};
