/** Entry of the counting thread: walks as the scan does, and only adds up. */
import { openSourceFiles } from "../../../platform/open-source-files.ts";
import {
  type DirectoryListing,
  FileError,
  type SourceDirectory,
} from "../../../platform/ports/source-files.ts";
import { modeType, statAt, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import { threadLoaded } from "../../threads/ended-thread.ts";
import { type DirectoryScope, verdict } from "../select/directory-scope.ts";
import { Selection } from "../select/selection.ts";
import { sizeIn } from "../work/record-size.ts";
import { counterAt, SessionMemory } from "../work/session-memory.ts";
import type { CountedSource } from "./counted-source.ts";
import { absolutePaths } from "./target-tree.ts";

interface Frame {
  readonly directory: SourceDirectory;
  readonly scope: DirectoryScope;
  readonly listing: DirectoryListing;
  next: number;
}

const data = threadLoaded() as CountedSource & { readonly memory: SharedArrayBuffer };
const memory = new SessionMemory(1, data.memory);
const counters = memory.counters(0);
const files = openSourceFiles();
const record = new Uint8Array(statRecordBytes);

function isOfType(type: number): boolean {
  return ((record[statAt.mode + 1] << 8) & modeType.mask) === type;
}

function countFile(): void {
  counters[counterAt.filesSeen] += 1;
  counters[counterAt.bytesSeen] += sizeIn(record, 0);
}

function enter(directory: SourceDirectory, scope: DirectoryScope): Frame | undefined {
  try {
    if (scope.stops === undefined) return { directory, scope, listing: directory.list(), next: 0 };
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    // The scan reports it.
  }
  directory.close();
  return undefined;
}

/** Counts entries of a directory up to its next subdirectory, which it opens. */
function nextChild(frame: Frame): Frame | undefined {
  const { directory, scope, listing } = frame;
  const { names, offsets } = listing;
  while (frame.next < listing.count) {
    const [start, end] = [offsets[frame.next], offsets[frame.next + 1]];
    frame.next += 1;
    if (scope.verdictOfName(names, start, end) !== verdict.taken) continue;
    const name = names.subarray(start, end);
    try {
      directory.stat(name, record, 0);
      if (scope.verdictOfRecord(names, start, end, record, 0) !== verdict.taken) continue;
      if (isOfType(modeType.file)) countFile();
      if (!isOfType(modeType.directory)) continue;
      const child = scope.enter(names, start, end, record, 0);
      const entered = enter(directory.openDirectory(name), child);
      if (entered !== undefined) return entered;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      // Gone or unreadable: the scan reports it.
    }
  }
  return undefined;
}

function countBelow(top: Frame | undefined): void {
  const stack = top === undefined ? [] : [top];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    memory.assertRunning();
    const child = nextChild(frame);
    if (child !== undefined) {
      stack.push(child);
    } else {
      stack.pop();
      frame.directory.close();
    }
  }
}

memory.assertRunning();
const roots = [];
for (const path of absolutePaths(data.paths, data.workingDirectory)) {
  try {
    files.stat(path, record, 0);
    roots.push({ path, record: record.slice() });
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    // A missing path: the scan reports it.
  }
}
const selection = new Selection(data.selection, roots);
for (const root of roots) {
  record.set(root.record);
  if (selection.verdictOfRoot(root) !== verdict.taken) continue;
  if (isOfType(modeType.file)) countFile();
  if (isOfType(modeType.directory))
    countBelow(enter(files.openDirectory(root.path), selection.root(root)));
}
