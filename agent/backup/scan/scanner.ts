/**
 * The walk: lists directories, compares each entry with the previous run, has files read where needed,
 * and finishes directories from the leaves up. Iterative; synchronous; what is under way is bounded by
 * the work sender.
 */
import {
  FileError,
  type SourceDirectory,
  type SourceFiles,
} from "../../../platform/ports/source-files.ts";
import { modeType, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import { entryFlags } from "../catalog/catalog-format.ts";
import type { CatalogReader } from "../catalog/catalog-reader.ts";
import { type DirectoryScope, type Verdict, verdict } from "../select/directory-scope.ts";
import type { Selection } from "../select/selection.ts";
import { sizeIn } from "../work/record-size.ts";
import { isSameContent, isSameNode } from "../work/same-record.ts";
import { counterAt } from "../work/session-memory.ts";
import {
  type DirectoryPlace,
  DirectoryState,
  type EntryNames,
  entryKind,
} from "./directory-state.ts";
import type { EntryNotes } from "./entry-notes.ts";
import { FolderOpener } from "./folder-opener.ts";
import { hasBlobs, seekEntry } from "./previous-run.ts";
import type { FileReading } from "./read-files.ts";
import { joinPath, type ScanReport } from "./scan-report.ts";
import { type TargetNode, throughLink, wantedNames } from "./target-tree.ts";
import type { SavedTree, TreeSaver } from "./tree-saver.ts";

/** Scanned directories that stay open because files in them are still to be read. */
const waitingDirectoriesMax = 512;
/** Open files that threads, readers and the store need besides. */
const otherFilesMax = 96;
/** Entries after which the scan looks what has arrived. */
const breathEntries = 256;

/** A directory whose subdirectories are being visited. */
interface Frame {
  readonly state: DirectoryState;
  /** Set where only some entries are wanted: on the way to a target. */
  readonly target: TargetNode | undefined;
  readonly scope: DirectoryScope | undefined;
  /** Previous run's blocks of the subdirectories, by entry. */
  readonly oldChildren: Float64Array;
  next: number;
}

export class Scanner {
  readonly #files: SourceFiles;
  readonly #opener: FolderOpener;
  readonly #selection: Selection;
  readonly #catalog: CatalogReader | undefined;
  readonly #table: BlobTable;
  readonly #reading: FileReading;
  readonly #saver: TreeSaver;
  readonly #report: ScanReport;
  readonly #counters: Float64Array;
  readonly #notes: EntryNotes | undefined;
  readonly #breathe: () => void;
  readonly #settle: () => boolean;
  /** What was asked for, as far as it is reached from a folder above. */
  readonly #targets = new Set<DirectoryState>();
  /** Directories that are open. */
  #open = 0;
  readonly #waitingMax: number;
  #result: SavedTree | undefined;

  /**
   * `breathe` takes in what has arrived, and throws if the session is to stop. `settle` waits for files that are under
   * way; false if there are none.
   */
  constructor(parts: {
    files: SourceFiles;
    selection: Selection;
    catalog: CatalogReader | undefined;
    table: BlobTable;
    reading: FileReading;
    saver: TreeSaver;
    report: ScanReport;
    counters: Float64Array;
    notes: EntryNotes | undefined;
    breathe: () => void;
    settle: () => boolean;
  }) {
    this.#files = parts.files;
    this.#opener = new FolderOpener(parts.files, parts.settle);
    this.#selection = parts.selection;
    this.#catalog = parts.catalog;
    this.#table = parts.table;
    this.#reading = parts.reading;
    this.#saver = parts.saver;
    this.#report = parts.report;
    this.#counters = parts.counters;
    this.#notes = parts.notes;
    this.#breathe = parts.breathe;
    this.#settle = parts.settle;
    const spareFiles = (parts.files.openFilesMax() - otherFilesMax) >> 1;
    this.#waitingMax = Math.max(1, Math.min(waitingDirectoriesMax, spareFiles));
  }

  /** The root tree, once every file has been answered. */
  get result(): SavedTree | undefined {
    return this.#result;
  }

  /** Walks everything below the root of the targets. Files may still be under way when it returns. */
  walk(root: TargetNode): void {
    const top = this.#openTop(root);
    const stack: Frame[] = [top];
    while (stack.length > 0) {
      const frame = stack[stack.length - 1];
      while (this.#open - stack.length > this.#waitingMax && this.#settle());
      const child = this.#nextChild(frame);
      if (child !== undefined) {
        stack.push(child);
        this.#breathe();
      } else {
        stack.pop();
        this.fileDone(frame.state);
      }
    }
  }

  /** One entry of the directory, or its own scan, is no longer awaited. */
  fileDone(state: DirectoryState): void {
    let current: DirectoryState | undefined = state;
    while (current !== undefined) {
      current.pending -= 1;
      if (current.pending > 0) return;
      current = this.#finish(current);
    }
  }

  /** Returns the parent, from which the directory is no longer awaited. */
  #finish(state: DirectoryState): DirectoryState | undefined {
    const { parent, old } = state;
    this.#notes?.startFolder();
    const saved = this.#save(state);
    state.directory?.close();
    state.directory = undefined;
    this.#open -= 1;
    this.#targets.delete(state);
    if (saved === undefined) {
      if (parent === undefined) return undefined;
      parent.kinds[state.index] = entryKind.absent;
      parent.isChanged = true;
      return parent;
    }
    if (parent === undefined) {
      this.#result = saved;
      return undefined;
    }
    const isSame = old !== undefined && Buffer.compare(saved.id, old.treeId) === 0;
    if (!isSame) parent.isChanged = true;
    const { counts } = this.#report;
    if (old === undefined) counts.dirsNew += 1;
    else if (isSame) counts.dirsUnmodified += 1;
    else counts.dirsChanged += 1;
    const changed = old === undefined ? "new" : "modified";
    this.#notes?.folder(isSame ? "unchanged" : changed, state);
    for (let i = 0; i < state.count; i += 1) {
      if (state.kinds[i] !== entryKind.file) continue;
      counts.files += 1;
      counts.bytes += state.sizes[i];
    }
    parent.setIds(state.index, saved.id, 0, 1);
    parent.childBlocks[state.index] = saved.block;
    return parent;
  }

  /** Undefined, and the directory an issue, if it has too many entries. A target of its own is more than an issue. */
  #save(state: DirectoryState): SavedTree | undefined {
    try {
      return this.#saver.save(state);
    } catch (error) {
      const isPart = state.parent !== undefined && !this.#targets.has(state);
      if (!isPart || !isBackstayError(error, "DIRECTORY_TOO_LARGE")) throw error;
      const message = `${error.message} ${error.remedy}`;
      this.#report.issue(state.path, "archival", { code: error.code, message });
      return undefined;
    }
  }

  #openTop(root: TargetNode): Frame {
    const block = this.#catalog?.topBlock ?? 0;
    const record = new Uint8Array(statRecordBytes);
    const place = { parent: undefined, index: 0, record };
    const directory = this.#opener.openRoot(root, record);
    if (!root.isTarget) return this.#scan(directory, place, root, undefined, block);
    this.#report.counts.targetsFound += 1;
    const scope = this.#selection.root({ path: root.absolutePath, record });
    return this.#noteEmptied(this.#scan(directory, place, undefined, scope, block));
  }

  /** Opens and scans the next subdirectory of a frame. */
  #nextChild(frame: Frame): Frame | undefined {
    const { state } = frame;
    for (; frame.next < state.count; frame.next += 1) {
      if (state.kinds[frame.next] !== entryKind.directory) continue;
      const index = frame.next;
      const target = targetOf(frame, index);
      try {
        const way = target?.isTarget === false ? target : undefined;
        const directory = this.#opener.openChild(state, index, way);
        const scope = this.#childScope(frame, index, target);
        const old = frame.oldChildren[index] ?? 0;
        const at = index * statRecordBytes;
        const record = state.records.slice(at, at + statRecordBytes);
        const child = this.#scan(directory, { parent: state, index, record }, way, scope, old);
        if (target?.isTarget === true) this.#targets.add(child.state);
        state.pending += 1;
        frame.next += 1;
        return target === undefined ? child : this.#noteEmptied(child);
      } catch (error) {
        this.#dropEntry(state, index, error);
      }
    }
    return undefined;
  }

  #childScope(
    frame: Frame,
    index: number,
    target: TargetNode | undefined,
  ): DirectoryScope | undefined {
    const { state } = frame;
    const at = index * statRecordBytes;
    if (target?.isTarget === true)
      return this.#selection.root({
        path: target.absolutePath,
        record: state.records.slice(at, at + statRecordBytes),
      });
    const [start, end] = [state.offsets[index], state.offsets[index + 1]];
    return frame.scope?.enter(state.names, start, end, state.records, at);
  }

  #scan(
    directory: SourceDirectory,
    place: DirectoryPlace,
    target: TargetNode | undefined,
    scope: DirectoryScope | undefined,
    oldBlock: number,
  ): Frame {
    const { parent, index } = place;
    const path =
      parent === undefined ? directory.path.slice() : joinPath(parent.path, parent.nameOf(index));
    let listing: EntryNames;
    try {
      if (target !== undefined) listing = wantedNames(target);
      else listing = this.#isStoredEmpty(directory, path, scope) ? noNames : directory.list();
    } catch (error) {
      directory.close();
      throw error;
    }
    const state = new DirectoryState(place, path, listing, directory);
    this.#open += 1;
    state.old = oldBlock > 0 ? this.#catalog?.block(oldBlock) : undefined;
    state.isChanged = state.old === undefined;
    const frame: Frame = {
      state,
      target,
      scope,
      oldChildren: new Float64Array(state.old === undefined ? 0 : state.count),
      next: 0,
    };
    scope?.isMarkedOut(listing, (name, length) => this.#opener.readHead(directory, name, length));
    for (let i = 0; i < state.count; i += 1) {
      this.#scanEntry(frame, i);
      // In a folder of a million files much arrives meanwhile.
      if (i % breathEntries === breathEntries - 1) this.#breathe();
    }
    if (state.old?.isAtEnd === false) state.isChanged = true;
    state.old?.release();
    return frame;
  }

  /** A target that was not empty before may be the place of a disk that is not mounted. */
  #noteEmptied(frame: Frame): Frame {
    const { state, target } = frame;
    if (target === undefined && state.count === 0 && (state.old?.count ?? 0) > 0) {
      this.#report.counts.targetsEmptied += 1;
      this.#report.issue(state.path, "scan", emptied);
    }
    return frame;
  }

  /** Mount points under `oneFileSystem`, loops, and file systems that hold nothing to back up. */
  #isStoredEmpty(
    directory: SourceDirectory,
    path: Uint8Array,
    scope: DirectoryScope | undefined,
  ): boolean {
    if (scope === undefined) return false;
    if (scope.stops === "loop") this.#report.omission(path, "loop");
    if (scope.stops !== undefined) return true;
    const isPseudo = scope.isOnNewDevice && this.#files.medium(directory.path).kind === "pseudo";
    if (isPseudo) this.#report.omission(path, "pseudo-file-system");
    return isPseudo;
  }

  #scanEntry(frame: Frame, index: number): void {
    if (!this.#takesEntry(frame, index)) return;
    const { state } = frame;
    const { old } = state;
    const at = index * statRecordBytes;
    const isKnown = old !== undefined && seekEntry(old, state, index);
    if (!isKnown || !isSameNode(old.bytes, old.at, state.records, at)) state.isChanged = true;
    if (isKnown) state.hasAttributes[index] = (old.flags & entryFlags.attributes) !== 0 ? 1 : 0;
    const type = state.modeOf(index) & modeType.mask;
    if (type === modeType.directory) {
      state.kinds[index] = entryKind.directory;
      if (isKnown) frame.oldChildren[index] = old.child;
    } else if (type === modeType.file) {
      state.kinds[index] = entryKind.file;
      this.#scanFile(state, index, isKnown);
    } else {
      state.kinds[index] = entryKind.other;
    }
    if (isKnown) old.next();
  }

  /** Looks at an entry; false if it takes no part in the backup. */
  #takesEntry(frame: Frame, index: number): boolean {
    const { state, scope } = frame;
    const at = index * statRecordBytes;
    const [start, end] = [state.offsets[index], state.offsets[index + 1]];
    const byName = scope?.verdictOfName(state.names, start, end) ?? verdict.taken;
    if (byName !== verdict.taken) return this.#leaveOut(state, index, byName);
    try {
      state.directory?.stat(state.nameOf(index), state.records, at);
      const target = targetOf(frame, index);
      if (target !== undefined && target.children.size > 0) this.#followWay(state, index, target);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      // Gone between listing and look: nothing that was there for this backup.
      if (error.code !== "ENOENT" || frame.target !== undefined)
        this.#dropEntry(state, index, error);
      return false;
    }
    if (scope === undefined) return this.#isTargetTaken(frame, index);
    const byRecord = scope.verdictOfRecord(state.names, start, end, state.records, at);
    return byRecord === verdict.taken || this.#leaveOut(state, index, byRecord);
  }

  #leaveOut(state: DirectoryState, index: number, why: Verdict): false {
    if (why === verdict.ownPlace)
      this.#report.omission(joinPath(state.path, state.nameOf(index)), "own-place");
    return false;
  }

  /**
   * What lies on the way to a target is a directory, or a symlink that leads to one and then stands for it, even if
   * the link is a target itself.
   */
  #followWay(state: DirectoryState, index: number, way: TargetNode): void {
    const at = index * statRecordBytes;
    if ((state.modeOf(index) & modeType.mask) === modeType.symlink) {
      way.isTarget = false;
      this.#files.stat(throughLink(way.path), state.records, at);
    }
    if (!way.isTarget && !state.isDirectory(index))
      throw new FileError("ENOTDIR", "stat", Buffer.from(way.path).toString());
  }

  #scanFile(state: DirectoryState, index: number, isKnown: boolean): void {
    const at = index * statRecordBytes;
    const { old } = state;
    const { counts } = this.#report;
    const counters = this.#counters;
    const size = sizeIn(state.records, at);
    counters[counterAt.filesSeen] += 1;
    counters[counterAt.bytesSeen] += size;
    if (isKnown && old !== undefined) {
      const isReadable =
        isSameContent(old.bytes, old.at, state.records, at) &&
        hasBlobs(this.#table, old.bytes, old.idsStart, old.idCount);
      if (isReadable) {
        counts.filesUnmodified += 1;
        state.setIds(index, old.bytes, old.idsStart, old.idCount);
        state.sizes[index] = size;
        counters[counterAt.filesDone] += 1;
        counters[counterAt.bytesDone] += size;
        this.#notes?.unchanged(state, index);
        return;
      }
      counts.filesChanged += 1;
      this.#notes?.expectChange(state, index);
    } else {
      counts.filesNew += 1;
    }
    state.isChanged = true;
    if (this.#reading.read(state, index)) return;
    counters[counterAt.filesDone] += 1;
    counters[counterAt.bytesDone] += size;
  }

  /** An entry on the way to a target is always taken, a target itself unless a rule names it. */
  #isTargetTaken(frame: Frame, index: number): boolean {
    const target = targetOf(frame, index);
    if (target?.isTarget !== true) return true;
    this.#report.counts.targetsFound += 1;
    const at = index * statRecordBytes;
    const record = frame.state.records.slice(at, at + statRecordBytes);
    const why = this.#selection.verdictOfRoot({ path: target.absolutePath, record });
    return why === verdict.taken || this.#leaveOut(frame.state, index, why);
  }

  #dropEntry(state: DirectoryState, index: number, error: unknown): void {
    if (!(error instanceof FileError)) throw error;
    state.kinds[index] = entryKind.absent;
    state.isChanged = true;
    this.#report.issue(joinPath(state.path, state.nameOf(index)), "scan", error);
  }
}

const emptied = { code: "EMPTY", message: "it is empty, and was not at the last backup" } as const;

const noNames: EntryNames = { count: 0, names: new Uint8Array(0), offsets: new Uint32Array(1) };

function targetOf(frame: Frame, index: number): TargetNode | undefined {
  if (frame.target === undefined) return undefined;
  return frame.target.children.get(Buffer.from(frame.state.nameOf(index)).toString("latin1"));
}
