/** The files that must be read: sent to the workers, and their answers put in place. */
import { modeType, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import type { FileJournalWriter } from "../journal/file-journal.ts";
import { type JournalEntry, journalFlags } from "../journal/file-journal-format.ts";
import { type Cost, noCost } from "../work/cost-meter.ts";
import { type FileRange, fileBytesMax, type ReadResult, rangeBytes } from "../work/read-work.ts";
import { sizeIn } from "../work/record-size.ts";
import { counterAt } from "../work/session-memory.ts";
import { type DirectoryState, entryKind } from "./directory-state.ts";
import type { EntryNotes } from "./entry-notes.ts";
import { LargeFile } from "./large-file.ts";
import type { InterruptedRun } from "./previous-run.ts";
import { joinPath, type ScanReport } from "./scan-report.ts";
import type { Answer, WorkSender } from "./work-sender.ts";

export class FileReading {
  readonly #sender: WorkSender;
  readonly #report: ScanReport;
  readonly #interrupted: InterruptedRun | undefined;
  readonly #journal: FileJournalWriter | undefined;
  readonly #counters: Float64Array;
  readonly #notes: EntryNotes | undefined;
  readonly #onDone: (state: DirectoryState) => void;
  readonly #large = new Map<DirectoryState, Map<number, LargeFile>>();

  /** `onDone` is told each time a file of a directory is no longer awaited. */
  constructor(parts: {
    sender: WorkSender;
    report: ScanReport;
    interrupted: InterruptedRun | undefined;
    journal: FileJournalWriter | undefined;
    counters: Float64Array;
    notes: EntryNotes | undefined;
    onDone: (state: DirectoryState) => void;
  }) {
    this.#sender = parts.sender;
    this.#report = parts.report;
    this.#interrupted = parts.interrupted;
    this.#journal = parts.journal;
    this.#counters = parts.counters;
    this.#notes = parts.notes;
    this.#onDone = parts.onDone;
  }

  /** Has a file read. False if an interrupted run had read it already: then its content is in place. */
  read(state: DirectoryState, index: number): boolean {
    const size = sizeIn(state.records, index * statRecordBytes);
    if (size > fileBytesMax) {
      this.#refuse(state, index);
      return false;
    }
    if (size > rangeBytes) {
      this.#readRanges(state, index, size);
      return true;
    }
    const known = this.#interrupted?.wholeFile(state, index);
    if (known !== undefined) {
      state.setIds(index, known.ids, known.idsStart, known.idCount);
      state.sizes[index] = known.size;
      if ((known.flags & journalFlags.attributes) !== 0) state.hasAttributes[index] = 1;
      this.#notes?.read(state, index, noCost);
      return false;
    }
    state.pending += 1;
    this.#sender.addFile(state, index, size);
    return true;
  }

  /** Puts an answer in place. */
  take(answer: Answer): void {
    if (answer.range === undefined) this.#takeBatch(answer);
    else this.#takeRange(answer, answer.range);
    // A process that is killed loses what it has not handed to the system.
    this.#journal?.flush();
  }

  #readRanges(state: DirectoryState, index: number, size: number): void {
    const large = new LargeFile(Math.ceil(size / rangeBytes));
    const ofState = this.#large.get(state) ?? new Map<number, LargeFile>();
    this.#large.set(state, ofState.set(index, large));
    state.pending += 1;
    const missing: number[] = [];
    const ranges = this.#interrupted?.ranges(state, index);
    for (let start = 0; start < size; start += rangeBytes) {
      const known = ranges?.get(start);
      if (known === undefined) {
        missing.push(start);
        continue;
      }
      const ids = known.ids.slice(known.idsStart, known.idsStart + known.idCount * 32);
      large.add(start / rangeBytes, ids, known.size);
      this.#counters[counterAt.bytesDone] += known.size;
      if (start + rangeBytes >= size) this.#counters[counterAt.filesDone] += 1;
      if ((known.flags & journalFlags.attributes) !== 0) state.hasAttributes[index] = 1;
    }
    for (const start of missing) this.#sender.addRange(state, index, start, size);
    if (missing.length === 0) this.#finishLarge(state, index, large);
  }

  #takeBatch({ result, files }: Answer): void {
    const issues = new Map(result.issues.map((issue) => [issue.index, issue]));
    for (const { index, list } of result.attributes) {
      const { state, index: entry } = files[index];
      state.extrasOf(entry).attributes = list;
      state.hasAttributes[entry] = 1;
    }
    this.#journalBatch(result, files, issues);
    let idsAt = 0;
    for (const [i, { state, index }] of files.entries()) {
      const issue = issues.get(i);
      if (issue !== undefined) this.#reportFile(state, index, issue);
      if (result.isRead[i] === 1) {
        const at = i * statRecordBytes;
        const record = result.records.subarray(at, at + statRecordBytes);
        state.records.set(record, index * statRecordBytes);
        state.sizes[index] = result.sizes[i];
        state.setIds(index, result.ids, idsAt, result.idCounts[i]);
        if (!isSettled(result, i, issue)) state.distrust(index);
        this.#refuseOtherType(state, index);
      } else {
        state.kinds[index] = entryKind.absent;
      }
      this.#noteRead(state, index, result.costs?.[i]);
      idsAt += result.idCounts[i] * 32;
      this.#onDone(state);
    }
  }

  #takeRange({ result, files }: Answer, range: FileRange): void {
    const [{ state, index }] = files;
    const large = this.#large.get(state)?.get(index);
    if (large === undefined) return;
    const [issue] = result.issues;
    large.issue ??= issue;
    if (result.isFresh[0] === 1) large.isFresh = true;
    if (result.isRead[0] === 0) large.isUnreadable = true;
    if (range.isLast) large.attributes = result.attributes[0]?.list ?? [];
    large.add(range.start / rangeBytes, result.ids, result.sizes[0]);
    if (result.costs !== undefined) large.addCost(result.costs[0]);
    if (issue === undefined && !large.isFresh) {
      const flags =
        journalFlags.range + (result.attributes.length > 0 ? journalFlags.attributes : 0);
      this.#journal?.add(state.path, [
        {
          name: range.name,
          record: result.records,
          recordOffset: 0,
          start: range.start,
          size: result.sizes[0],
          flags,
          ids: result.ids,
          idsStart: 0,
          idCount: result.idCounts[0],
        },
      ]);
    }
    if (large.isComplete) this.#finishLarge(state, index, large);
  }

  #finishLarge(state: DirectoryState, index: number, large: LargeFile): void {
    const ofState = this.#large.get(state);
    ofState?.delete(index);
    if (ofState?.size === 0) this.#large.delete(state);
    if (large.issue !== undefined) this.#reportFile(state, index, large.issue);
    if (large.isUnreadable) {
      state.kinds[index] = entryKind.absent;
    } else {
      const { ids } = large;
      state.setIds(index, ids, 0, ids.length / 32);
      state.sizes[index] = large.size;
      const size = sizeIn(state.records, index * statRecordBytes);
      if (large.issue !== undefined || large.isFresh || large.size !== size) state.distrust(index);
      if (large.attributes !== undefined && large.attributes.length > 0) {
        state.extrasOf(index).attributes = large.attributes;
        state.hasAttributes[index] = 1;
      }
    }
    this.#noteRead(state, index, large.cost);
    this.#onDone(state);
  }

  #noteRead(state: DirectoryState, index: number, cost: Cost | undefined): void {
    const isStored = state.kinds[index] === entryKind.file;
    this.#notes?.read(state, index, isStored ? cost : undefined);
  }

  /** A small file's record may have been refreshed; it is a file still, or the reader would have refused it. */
  #refuseOtherType(state: DirectoryState, index: number): void {
    if ((state.modeOf(index) & modeType.mask) !== modeType.file)
      state.kinds[index] = entryKind.absent;
  }

  #refuse(state: DirectoryState, index: number): void {
    state.kinds[index] = entryKind.absent;
    this.#noteRead(state, index, undefined);
    const message = "the file is larger than 16 TiB";
    this.#reportFile(state, index, { code: "EFBIG", message });
  }

  #reportFile(
    state: DirectoryState,
    index: number,
    issue: { code: string; message: string },
  ): void {
    this.#report.issue(joinPath(state.path, state.nameOf(index)), "archival", issue);
  }

  #journalBatch(
    result: ReadResult,
    files: Answer["files"],
    issues: ReadonlyMap<number, unknown>,
  ): void {
    const journal = this.#journal;
    if (journal === undefined) return;
    let entries: JournalEntry[] = [];
    let idsStart = 0;
    for (const [i, { state, index }] of files.entries()) {
      const idCount = result.idCounts[i];
      if (result.isRead[i] === 1 && isSettled(result, i, issues.get(i)))
        entries.push({
          name: state.nameOf(index),
          record: result.records,
          recordOffset: i * statRecordBytes,
          start: 0,
          size: result.sizes[i],
          flags: state.hasAttributes[index] === 1 ? journalFlags.attributes : 0,
          ids: result.ids,
          idsStart,
          idCount,
        });
      idsStart += idCount * 32;
      if (entries.length > 0 && files[i + 1]?.state !== state) {
        journal.add(state.path, entries);
        entries = [];
      }
    }
  }
}

/** True if file `i` of a result was stored as its record says, so that the next run need not read it while that stays. */
function isSettled(result: ReadResult, i: number, issue: unknown): boolean {
  const size = sizeIn(result.records, i * statRecordBytes);
  return issue === undefined && result.isFresh[i] === 0 && result.sizes[i] === size;
}
