/**
 * Looks at what is in the target already and decides, by the overwrite rule, what becomes of it. Files that are
 * right but for their metadata are settled here, by the same handle that was looked at.
 */
import { FileError } from "../../../platform/ports/source-files.ts";
import { modeType } from "../../../platform/ports/stat-record.ts";
import { type TargetHandle, unfinishedMode } from "../../../platform/ports/target-files.ts";
import { type RestorePlan, rowKind, rowState } from "../plan/restore-plan.ts";
import { ContentCheck } from "./content-check.ts";
import type { EntryMetadata } from "./entry-metadata.ts";
import type { FileOpener } from "./file-opener.ts";
import { openReadable } from "./readable-file.ts";
import { StatView } from "./stat-view.ts";
import type { WorkContext } from "./work-context.ts";
import { explain, fileError } from "./work-issues.ts";

const typeOfKind: Record<number, number> = {
  [rowKind.symlink]: modeType.symlink,
  [rowKind.dev]: modeType.blockDevice,
  [rowKind.chardev]: modeType.charDevice,
  [rowKind.fifo]: modeType.fifo,
  [rowKind.socket]: modeType.socket,
};

function isDevice(kind: number): boolean {
  return kind === rowKind.dev || kind === rowKind.chardev;
}

export class EntryInspector {
  readonly #context: WorkContext;
  readonly #plan: RestorePlan;
  readonly #metadata: EntryMetadata;
  readonly #opener: FileOpener;
  readonly #content: ContentCheck;
  readonly #stat: StatView;

  constructor(context: WorkContext, metadata: EntryMetadata, opener: FileOpener) {
    this.#context = context;
    this.#plan = context.plan;
    this.#metadata = metadata;
    this.#opener = opener;
    this.#content = new ContentCheck(context);
    this.#stat = new StatView(context.files);
  }

  /** Gives a row that is no directory, in a directory that existed, its state. */
  inspect(row: number): void {
    const plan = this.#plan;
    let state: number;
    try {
      state = this.#judge(row);
    } catch (error) {
      const reason = explain(fileError(error, row));
      this.#context.issues.error("target", row, `what is in its place: ${reason}`);
      state = rowState.failed;
    }
    plan.setState(row, state);
    const isOpen =
      state === rowState.pending || state === rowState.update || state === rowState.replace;
    if (isOpen) return;
    this.#context.counters.addEntry(row);
    if (plan.kindOf(row) === rowKind.file) this.#context.counters.addSkippedBytes(plan.sizeOf(row));
  }

  #judge(row: number): number {
    const plan = this.#plan;
    const directory = this.#context.directories.open(plan.parentOf(row));
    const name = plan.nameOf(row);
    try {
      this.#stat.entry(directory, name);
    } catch (error) {
      if (error instanceof FileError && error.code === "ENOENT") return rowState.pending;
      throw error;
    }
    const isFile = plan.kindOf(row) === rowKind.file;
    const isLeftover = isFile && this.#isUnfinished(row);
    if (!isLeftover && this.#mustStay(row)) return rowState.skipped;
    if (plan.linkOf(row) >= 0) return rowState.replace;
    if (!isFile) return this.#judgeSpecial(row, directory, name);
    return this.#stat.isFile ? this.#judgeFile(row, directory, name, isLeftover) : rowState.replace;
  }

  /** What the rule says about an entry that is there; its record is in `#stat`. */
  #mustStay(row: number): boolean {
    const rule = this.#context.settings.overwrite;
    if (rule === "never") return true;
    return rule === "if-newer" && !this.#isNewer(row);
  }

  /** True if the snapshot's entry is newer than the one that is there. */
  #isNewer(row: number): boolean {
    const seconds = this.#plan.secondsOf(row);
    if (seconds !== this.#stat.seconds) return seconds > this.#stat.seconds;
    return this.#plan.nanosecondsOf(row) > this.#stat.nanoseconds;
  }

  /** True for a file that an earlier restore did not finish. */
  #isUnfinished(row: number): boolean {
    if (!this.#stat.isFile || this.#stat.permissions !== unfinishedMode) return false;
    return this.#plan.permissionsOf(row) !== unfinishedMode || !this.#looksSame(row);
  }

  #looksSame(row: number): boolean {
    const plan = this.#plan;
    return (
      plan.sizeOf(row) === this.#stat.size &&
      plan.secondsOf(row) === this.#stat.seconds &&
      plan.nanosecondsOf(row) === this.#stat.nanoseconds
    );
  }

  #judgeFile(row: number, directory: TargetHandle, name: Uint8Array, isLeftover: boolean): number {
    const { files } = this.#context;
    const handle = openReadable(files, directory, name, this.#stat);
    if (handle === undefined) return rowState.replace;
    try {
      this.#stat.handle(handle);
      const isTrusted =
        this.#context.settings.overwrite === "if-changed" && !isLeftover && this.#looksSame(row);
      const isRight = isTrusted || this.#markRight(row, handle);
      const hasOneName = this.#stat.links === 1;
      if (isRight && (hasOneName || this.#hasSameMetadata(row))) {
        if (!this.#context.settings.dryRun) this.#settle(row, handle);
        return rowState.unchanged;
      }
      const canUpdate = this.#opener.isOwn(row, this.#stat) && this.#isWritable(directory, name);
      if (canUpdate) return rowState.update;
      this.#forgetMarks(row);
      return rowState.replace;
    } finally {
      files.close(handle);
    }
  }

  /** Marks the blobs that are in place; true if all are, and nothing follows them. */
  #markRight(row: number, handle: TargetHandle): boolean {
    const plan = this.#plan;
    const size = this.#stat.size;
    let isRight = size === plan.sizeOf(row);
    const isWhole = this.#content.compare(row, handle, size, (ref, isInPlace) => {
      plan.markRefDone(ref, isInPlace);
      isRight &&= isInPlace;
      return true;
    });
    return isRight && isWhole;
  }

  #forgetMarks(row: number): void {
    const plan = this.#plan;
    const first = plan.firstOf(row);
    for (let i = 0; i < plan.countOf(row); i += 1) plan.markRefDone(first + i, false);
  }

  #hasSameMetadata(row: number): boolean {
    const plan = this.#plan;
    const stat = this.#stat;
    const { settings } = this.#context;
    const hasOwner = stat.uid === plan.uidOf(row) && stat.gid === plan.gidOf(row);
    return (
      (hasOwner || !settings.ownership) &&
      stat.permissions === this.#metadata.permissionsFor(row) &&
      stat.seconds === plan.secondsOf(row) &&
      stat.nanoseconds === plan.nanosecondsOf(row)
    );
  }

  /** Sets the metadata of an entry that is right otherwise, unless it is right as well. */
  #settle(row: number, handle: TargetHandle): void {
    const { files } = this.#context;
    const isPlain =
      this.#plan.extraOf(row).attributes.length === 0 && files.listAttributes(handle).length === 0;
    if (isPlain && this.#hasSameMetadata(row)) return;
    if (this.#stat.links === 1) this.#metadata.apply(row, handle, "existed");
  }

  #isWritable(directory: TargetHandle, name: Uint8Array): boolean {
    const { files } = this.#context;
    try {
      files.close(files.openFile(directory, name, "write"));
      return true;
    } catch (error) {
      if (error instanceof FileError) return false;
      throw error;
    }
  }

  #judgeSpecial(row: number, directory: TargetHandle, name: Uint8Array): number {
    const { files, settings } = this.#context;
    const plan = this.#plan;
    const kind = plan.kindOf(row);
    if (this.#stat.type !== typeOfKind[kind]) return rowState.replace;
    const { linkTarget, device } = plan.extraOf(row);
    if (kind === rowKind.symlink) {
      const target = files.readLink(directory, name);
      if (Buffer.compare(target, linkTarget) !== 0) return rowState.replace;
    } else if (isDevice(kind) && this.#stat.device !== device) return rowState.replace;
    if (settings.dryRun) return rowState.unchanged;
    const handle = files.openEntry(directory, name);
    try {
      this.#stat.handle(handle);
      if (this.#stat.type !== typeOfKind[kind]) return rowState.replace;
      this.#settle(row, handle);
      return rowState.unchanged;
    } finally {
      files.close(handle);
    }
  }
}
