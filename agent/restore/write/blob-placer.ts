/**
 * Puts blobs where they belong. A file of one blob is made, written and finished in one go. Files of several blobs
 * are written by all workers at once, each with a descriptor of its own; whoever writes the last blob finishes
 * the file.
 */
import { FileError } from "../../../platform/ports/source-files.ts";
import type { TargetHandle } from "../../../platform/ports/target-files.ts";
import { type RestorePlan, rowState } from "../plan/restore-plan.ts";
import { showPath } from "../restore-issues.ts";
import type { EntryMetadata } from "./entry-metadata.ts";
import type { FileOpener } from "./file-opener.ts";
import { partPhase } from "./part-slots.ts";
import { writeSparse } from "./sparse-write.ts";
import { isSameEntry, StatView } from "./stat-view.ts";
import type { WorkContext } from "./work-context.ts";
import { explain, fileError } from "./work-issues.ts";

/** Files of several blobs that one worker holds open. */
const openPartsMax = 16;
/** Behind the name of a file of which only a part could be restored. */
const damagedSuffix = ".backstay-damaged";
const nameBytesMax = 255;

export class BlobPlacer {
  readonly #context: WorkContext;
  readonly #plan: RestorePlan;
  readonly #metadata: EntryMetadata;
  readonly #opener: FileOpener;
  readonly #stat: StatView;
  /** Open files by slot; the one used last is the last in the map. */
  readonly #parts = new Map<number, TargetHandle>();

  constructor(context: WorkContext, metadata: EntryMetadata, opener: FileOpener) {
    this.#context = context;
    this.#plan = context.plan;
    this.#metadata = metadata;
    this.#opener = opener;
    this.#stat = new StatView(context.files);
  }

  /** Writes a blob, `plain[0, length)`, to the place of `ref`. Throws TargetFullError. */
  place(ref: number, plain: Uint8Array, length: number): void {
    const row = this.#plan.rowOf(ref);
    if (this.#plan.countOf(row) === 1) this.#writeWhole(row, plain, length);
    else this.#writePart(ref, row, plain, length);
  }

  /** Notes that the blob of `ref` can't be had, and finishes the file if nothing else is missing. */
  lose(ref: number, reason: string): void {
    const row = this.#plan.rowOf(ref);
    if (this.#plan.countOf(row) === 1) {
      this.#plan.setState(row, rowState.damaged);
      this.#context.issues.error("damaged", row, `not restored: ${reason}`);
      this.#context.counters.addEntry(row);
      return;
    }
    const { slots } = this.#context;
    const slot = slots.slotOf(row);
    slots.noteDamaged(slot);
    if (slots.countDown(slot)) this.#finishPart(row, slot, reason);
  }

  /** Closes files that are finished, maybe by other workers; all files at the end of the restore. */
  release(all: boolean): void {
    for (const [slot, handle] of this.#parts) {
      if (!all && this.#context.slots.isWaiting(slot)) continue;
      this.#context.files.close(handle);
      this.#parts.delete(slot);
    }
  }

  #writeWhole(row: number, plain: Uint8Array, length: number): void {
    const { files, counters } = this.#context;
    const plan = this.#plan;
    let handle: TargetHandle | undefined;
    try {
      handle = this.#opener.open(row);
      if (plan.stateOf(row) === rowState.update) {
        files.write(handle, plain, 0, length, 0);
        files.truncate(handle, length);
      } else if (writeSparse(files, handle, plain, length, 0) < length)
        files.truncate(handle, length);
      this.#metadata.apply(row, handle, this.#opener.freshness(row));
      plan.setState(row, rowState.done);
      counters.addBytes(length);
    } catch (error) {
      this.#fail(row, error, handle !== undefined);
    } finally {
      if (handle !== undefined) files.close(handle);
    }
    counters.addEntry(row);
  }

  /** Reports a file that could not be written. What was begun goes away unless it was there before. */
  #fail(row: number, error: unknown, wasOpened: boolean): void {
    const plan = this.#plan;
    const wasThere = plan.stateOf(row) === rowState.update;
    plan.setState(row, rowState.failed);
    if (wasOpened && !wasThere) this.#remove(row);
    const reason = explain(fileError(error, row));
    this.#context.issues.error("target", row, `the file can't be written: ${reason}`);
  }

  #remove(row: number): void {
    const { files, directories } = this.#context;
    try {
      files.removeFile(directories.open(this.#plan.parentOf(row)), this.#plan.nameOf(row));
    } catch (error) {
      // It is marked as unfinished, and reported: that it stays is no second failure.
      if (!(error instanceof FileError)) throw error;
    }
  }

  #writePart(ref: number, row: number, plain: Uint8Array, length: number): void {
    const { files, slots, counters } = this.#context;
    const slot = slots.slotOf(row);
    try {
      const handle = this.#openPart(row, slot);
      if (handle !== undefined) {
        const position = this.#plan.offsetOf(ref);
        if (this.#plan.stateOf(row) === rowState.update)
          files.write(handle, plain, 0, length, position);
        else writeSparse(files, handle, plain, length, position);
        counters.addBytes(length);
      }
    } catch (error) {
      this.#failPart(row, slot, error);
    }
    if (slots.countDown(slot)) this.#finishPart(row, slot, "");
  }

  #failPart(row: number, slot: number, error: unknown): void {
    const reason = explain(fileError(error, row));
    if (!this.#context.slots.fail(slot)) return;
    this.#plan.setState(row, rowState.failed);
    this.#context.issues.error("target", row, `the file can't be written: ${reason}`);
  }

  /** Undefined if the file has been given up. Throws FileError. */
  #openPart(row: number, slot: number): TargetHandle | undefined {
    const { files, slots, directories } = this.#context;
    const held = this.#parts.get(slot);
    if (held !== undefined) {
      this.#parts.delete(slot);
      this.#parts.set(slot, held);
      return slots.phase(slot) === partPhase.failed ? undefined : held;
    }
    if (slots.claim(slot)) {
      const begun = this.#beginPart(row, slot);
      return begun === undefined ? undefined : this.#hold(slot, begun);
    }
    if (slots.phase(slot) === partPhase.failed) return undefined;
    const name = this.#plan.nameOf(row);
    const handle = files.openFile(directories.open(this.#plan.parentOf(row)), name, "write");
    try {
      this.#stat.handle(handle);
      if (!isSameEntry(this.#stat.identity, slots.identity(slot)))
        throw new FileError("EEXIST", "openat", "");
      return this.#hold(slot, handle);
    } catch (error) {
      files.close(handle);
      throw error;
    }
  }

  /** Undefined if that failed; it has been reported then. */
  #beginPart(row: number, slot: number): TargetHandle | undefined {
    const { files, slots } = this.#context;
    let handle: TargetHandle | undefined;
    let identity: readonly number[] | undefined;
    try {
      handle = this.#opener.open(row);
      this.#stat.handle(handle);
      if (this.#plan.stateOf(row) !== rowState.update)
        files.truncate(handle, this.#plan.sizeOf(row));
      identity = this.#stat.identity;
      return handle;
    } catch (error) {
      if (handle !== undefined) files.close(handle);
      this.#plan.setState(row, rowState.failed);
      const reason = explain(fileError(error, row));
      this.#context.issues.error("target", row, `the file can't be made: ${reason}`);
      return undefined;
    } finally {
      slots.settle(slot, identity);
    }
  }

  #hold(slot: number, handle: TargetHandle): TargetHandle {
    this.#parts.set(slot, handle);
    if (this.#parts.size > openPartsMax) {
      const [oldest] = this.#parts;
      this.#context.files.close(oldest[1]);
      this.#parts.delete(oldest[0]);
    }
    return handle;
  }

  /** Nothing of this file is missing any more. */
  #finishPart(row: number, slot: number, reason: string): void {
    const { slots, counters } = this.#context;
    const damaged = slots.damaged(slot);
    const phase = slots.phase(slot);
    if (damaged > 0 && phase !== partPhase.failed) this.#finishDamaged(row, slot, damaged, reason);
    else if (phase === partPhase.open) this.#complete(row, slot);
    this.#closePart(slot);
    counters.addEntry(row);
  }

  #complete(row: number, slot: number): void {
    const { files } = this.#context;
    try {
      const handle = this.#openPart(row, slot);
      if (handle === undefined) return;
      const wasThere = this.#plan.stateOf(row) === rowState.update;
      if (wasThere) files.truncate(handle, this.#plan.sizeOf(row));
      this.#metadata.apply(row, handle, this.#opener.freshness(row));
      this.#plan.setState(row, rowState.done);
    } catch (error) {
      this.#failPart(row, slot, error);
    }
  }

  /** What there is of a damaged file is kept, under a name that says so. */
  #finishDamaged(row: number, slot: number, damaged: number, reason: string): void {
    const plan = this.#plan;
    const { files, slots, directories, issues } = this.#context;
    plan.setState(row, rowState.damaged);
    const count = plan.countOf(row);
    const lost = `${damaged} of its ${count} blobs are lost`;
    const because = reason === "" ? "" : ` (${reason})`;
    if (slots.phase(slot) !== partPhase.open) {
      issues.error("damaged", row, `not restored: ${lost}${because}`);
      return;
    }
    try {
      const handle = this.#openPart(row, slot);
      if (handle !== undefined) files.setMode(handle, 0o600);
      const directory = directories.open(plan.parentOf(row));
      const damagedName = this.#damagedName(row);
      files.rename(directory, plan.nameOf(row), directory, damagedName);
      const kept = `the rest, with gaps, is kept as ${showPath(damagedName)}`;
      issues.error("damaged", row, `${lost}${because}; ${kept}`);
    } catch (error) {
      const failure = explain(fileError(error, row));
      issues.error(
        "damaged",
        row,
        `${lost}${because}; what is left of it can't be renamed: ${failure}`,
      );
    }
  }

  /** A name that no entry of the snapshot has. */
  #damagedName(row: number): Uint8Array {
    const plan = this.#plan;
    const name = plan.nameOf(row);
    const parent = plan.parentOf(row);
    const siblings = Array.from(
      { length: plan.countOf(parent) },
      (_, i) => plan.firstOf(parent) + i,
    );
    for (let number = 1; ; number += 1) {
      const suffix = Buffer.from(number === 1 ? damagedSuffix : `${damagedSuffix}-${number}`);
      const candidate = Buffer.concat([name.subarray(0, nameBytesMax - suffix.length), suffix]);
      if (!siblings.some((sibling) => Buffer.compare(plan.nameOf(sibling), candidate) === 0))
        return candidate;
    }
  }

  #closePart(slot: number): void {
    const handle = this.#parts.get(slot);
    if (handle === undefined) return;
    this.#context.files.close(handle);
    this.#parts.delete(slot);
  }
}
