/** Makes what needs no data: empty files, symlinks, fifos, sockets, device nodes, and further names of files. */

import { FileError } from "../../../platform/ports/source-files.ts";
import { modeType } from "../../../platform/ports/stat-record.ts";
import type { TargetHandle } from "../../../platform/ports/target-files.ts";
import { type RestorePlan, rowFlag, rowKind, rowState } from "../plan/restore-plan.ts";
import type { EntryMetadata } from "./entry-metadata.ts";
import type { FileOpener } from "./file-opener.ts";
import { isSameEntry, StatView } from "./stat-view.ts";
import type { WorkContext } from "./work-context.ts";
import { explain, fileError } from "./work-issues.ts";

const typeOfKind: Record<number, number> = {
  [rowKind.symlink]: modeType.symlink,
  [rowKind.dev]: modeType.blockDevice,
  [rowKind.chardev]: modeType.charDevice,
  [rowKind.fifo]: modeType.fifo,
  [rowKind.socket]: modeType.socket,
};

export class EntryMaker {
  readonly #context: WorkContext;
  readonly #plan: RestorePlan;
  readonly #metadata: EntryMetadata;
  readonly #opener: FileOpener;
  readonly #stat: StatView;

  constructor(context: WorkContext, metadata: EntryMetadata, opener: FileOpener) {
    this.#context = context;
    this.#plan = context.plan;
    this.#metadata = metadata;
    this.#opener = opener;
    this.#stat = new StatView(context.files);
  }

  /** Makes those of rows `[from, to)` that are no further names of others. */
  makeEntries(from: number, to: number): void {
    for (let row = from; row < to; row += 1) {
      if (this.#context.isCancelled()) return;
      if (!this.#isOpen(row) || this.#plan.linkOf(row) >= 0) continue;
      this.#try(row, () => {
        if (this.#plan.kindOf(row) === rowKind.file) this.#completeFile(row);
        else this.#makeSpecial(row);
      });
    }
  }

  /** Makes those of rows `[from, to)` that are further names; what they name must be complete. */
  makeLinks(from: number, to: number): void {
    for (let row = from; row < to; row += 1) {
      if (this.#context.isCancelled()) return;
      if (this.#isOpen(row) && this.#plan.linkOf(row) >= 0)
        this.#try(row, () => this.#makeLink(row));
    }
  }

  /** True for a selected row, no directory, that is still to be made. */
  #isOpen(row: number): boolean {
    const plan = this.#plan;
    const state = plan.stateOf(row);
    if (plan.kindOf(row) === rowKind.directory || !plan.hasFlag(row, rowFlag.selected))
      return false;
    return state === rowState.pending || state === rowState.update || state === rowState.replace;
  }

  #try(row: number, make: () => void): void {
    try {
      make();
    } catch (error) {
      this.#plan.setState(row, rowState.failed);
      this.#context.issues.error("target", row, explain(fileError(error, row)));
    }
    this.#context.counters.addEntry(row);
  }

  /** An empty file, or one whose blobs are all in place but that is too long. */
  #completeFile(row: number): void {
    const { files } = this.#context;
    const handle = this.#opener.open(row);
    try {
      files.truncate(handle, this.#plan.sizeOf(row));
      this.#metadata.apply(row, handle, this.#opener.freshness(row));
      this.#plan.setState(row, rowState.done);
    } finally {
      files.close(handle);
    }
  }

  #makeSpecial(row: number): void {
    const { files, directories, issues } = this.#context;
    const plan = this.#plan;
    const kind = plan.kindOf(row);
    const { abilities } = files;
    if (kind === rowKind.symlink ? !abilities.symlinks : !abilities.specialFiles) {
      plan.setState(row, rowState.failed);
      issues.error("target", row, "this system does not let us make entries of its kind");
      return;
    }
    const directory = directories.open(plan.parentOf(row));
    const name = plan.nameOf(row);
    const extra = plan.extraOf(row);
    if (plan.stateOf(row) === rowState.replace) this.#opener.clear(directory, name);
    if (kind === rowKind.symlink) files.createSymlink(directory, name, extra.linkTarget);
    else files.createSpecial(directory, name, typeOfKind[kind] | 0o600, extra.device);
    const handle = files.openEntry(directory, name);
    try {
      this.#assertMade(handle, typeOfKind[kind]);
      this.#metadata.apply(row, handle, "new");
    } finally {
      files.close(handle);
    }
    plan.setState(row, rowState.done);
  }

  /** Somebody may have put something else there since. */
  #assertMade(handle: TargetHandle, type: number): void {
    this.#stat.handle(handle);
    if (this.#stat.type !== type) throw new FileError("EEXIST", "openat", "");
  }

  #makeLink(row: number): void {
    const { files, directories, issues } = this.#context;
    const plan = this.#plan;
    const leader = plan.linkOf(row);
    const state = plan.stateOf(leader);
    if (state !== rowState.done && state !== rowState.unchanged) {
      plan.setState(row, rowState.failed);
      issues.error("target", row, "its first name could not be restored");
      return;
    }
    const name = plan.nameOf(row);
    const leaderName = plan.nameOf(leader);
    this.#stat.entry(directories.open(plan.parentOf(leader)), leaderName);
    const identity = this.#stat.identity;
    if (plan.stateOf(row) === rowState.replace) {
      const directory = directories.open(plan.parentOf(row));
      this.#stat.entry(directory, name);
      if (isSameEntry(this.#stat.identity, identity)) {
        plan.setState(row, rowState.unchanged);
        return;
      }
      this.#opener.clear(directory, name);
    }
    const from = directories.open(plan.parentOf(leader));
    const to = directories.open(plan.parentOf(row));
    files.createLink(from, leaderName, to, name);
    this.#stat.entry(to, name);
    if (!isSameEntry(this.#stat.identity, identity)) {
      files.removeFile(to, name);
      throw new FileError("EEXIST", "linkat", "");
    }
    plan.setState(row, rowState.done);
  }
}
