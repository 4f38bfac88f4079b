/** Makes the directories of a plan, those above first, and sets their metadata when everything is in them. */
import { FileError } from "../../../platform/ports/source-files.ts";
import type { TargetHandle } from "../../../platform/ports/target-files.ts";
import { type RestorePlan, rowFlag, rowKind, rowState } from "../plan/restore-plan.ts";
import type { EntryMetadata } from "./entry-metadata.ts";
import { StatView } from "./stat-view.ts";
import type { WorkContext } from "./work-context.ts";
import { explain, fileError } from "./work-issues.ts";

const ownerBits = 0o700;

export class DirectoryMaker {
  readonly #context: WorkContext;
  readonly #plan: RestorePlan;
  readonly #metadata: EntryMetadata;
  readonly #stat: StatView;

  constructor(context: WorkContext, metadata: EntryMetadata) {
    this.#context = context;
    this.#plan = context.plan;
    this.#metadata = metadata;
    this.#stat = new StatView(context.files);
  }

  /** Makes or finds every directory that is needed, and gives each the state `created`, `existed` or `failed`. */
  makeAll(): void {
    const plan = this.#plan;
    plan.setState(0, rowState.existed);
    for (let row = 1; row < plan.rows; row += 1) {
      if (plan.kindOf(row) !== rowKind.directory || !plan.hasFlag(row, rowFlag.needed)) continue;
      if (this.#context.isCancelled()) return;
      plan.setState(row, this.#make(row));
    }
  }

  /** A directory below one that failed needs no issue of its own. */
  #make(row: number): number {
    const plan = this.#plan;
    const above = plan.stateOf(plan.parentOf(row));
    const isUnder = above === rowState.created || above === rowState.existed;
    if (!isUnder) return rowState.failed;
    const { dryRun } = this.#context.settings;
    if (dryRun && above === rowState.created) return rowState.created;
    try {
      const parent = this.#context.directories.open(plan.parentOf(row));
      const name = plan.nameOf(row);
      return dryRun
        ? this.#look(parent, name)
        : this.#makeIn(row, parent, name, above === rowState.created);
    } catch (error) {
      const reason = explain(fileError(error, row));
      this.#context.issues.error("target", row, `the folder can't be made: ${reason}`);
      return rowState.failed;
    }
  }

  #makeIn(row: number, parent: TargetHandle, name: Uint8Array, isNew: boolean): number {
    const { files } = this.#context;
    try {
      files.createDirectory(parent, name);
    } catch (error) {
      if (!(error instanceof FileError) || error.code !== "EEXIST" || isNew) throw error;
      this.#stat.entry(parent, name);
      if (this.#stat.isDirectory) return this.#useExisting(row, parent);
      this.#assertReplaceable(name);
      files.removeFile(parent, name);
      files.createDirectory(parent, name);
    }
    const handle = this.#context.directories.open(row);
    this.#metadata.clearInherited(handle);
    return rowState.created;
  }

  /** What would happen: nothing is changed. */
  #look(parent: TargetHandle, name: Uint8Array): number {
    try {
      this.#stat.entry(parent, name);
    } catch (error) {
      if (error instanceof FileError && error.code === "ENOENT") return rowState.created;
      throw error;
    }
    if (this.#stat.isDirectory) return rowState.existed;
    this.#assertReplaceable(name);
    return rowState.created;
  }

  /** Without all rights in its own directory a user could not restore into it; they are set right at the end. */
  #useExisting(row: number, parent: TargetHandle): number {
    const { files, settings } = this.#context;
    const permissions = this.#stat.permissions;
    const isLocked = (permissions & ownerBits) !== ownerBits;
    if (isLocked && !settings.ownership && this.#stat.uid === files.userId) {
      const entry = files.openEntry(parent, this.#plan.nameOf(row));
      try {
        this.#stat.handle(entry);
        if (this.#stat.isDirectory) files.setMode(entry, permissions | ownerBits);
      } finally {
        files.close(entry);
      }
    }
    return rowState.existed;
  }

  #assertReplaceable(name: Uint8Array): void {
    if (this.#context.settings.overwrite === "never")
      throw new FileError("ENOTDIR", "mkdirat", Buffer.from(name).toString());
  }

  /** Sets the metadata of directories among rows `[from, to)`, those below first. */
  finish(from: number, to: number): void {
    const plan = this.#plan;
    for (let row = to - 1; row >= from; row -= 1) {
      if (this.#context.isCancelled()) return;
      if (row === 0 || plan.kindOf(row) !== rowKind.directory) continue;
      const state = plan.stateOf(row);
      const isOurs = state === rowState.created;
      if (!isOurs && !(state === rowState.existed && plan.hasFlag(row, rowFlag.selected))) continue;
      this.#finishOne(row, isOurs);
    }
  }

  #finishOne(row: number, isOurs: boolean): void {
    try {
      const handle = this.#context.directories.open(row);
      this.#metadata.apply(row, handle, isOurs ? "new" : "existed");
    } catch (error) {
      const reason = explain(fileError(error, row));
      this.#context.issues.error("target", row, `the folder can't be completed: ${reason}`);
      this.#plan.setState(row, rowState.failed);
    }
    if (this.#plan.hasFlag(row, rowFlag.selected)) this.#context.counters.addEntry(row);
  }
}
