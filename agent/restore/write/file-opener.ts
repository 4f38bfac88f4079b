/** Opens a file of the plan for writing: a new one, one that is brought up to date, or one in place of something else. */
import { FileError } from "../../../platform/ports/source-files.ts";
import { type TargetHandle, unfinishedMode } from "../../../platform/ports/target-files.ts";
import { rowState } from "../plan/restore-plan.ts";
import type { Freshness } from "./entry-metadata.ts";
import { removeTree } from "./remove-tree.ts";
import { StatView } from "./stat-view.ts";
import type { WorkContext } from "./work-context.ts";

export class FileOpener {
  readonly #context: WorkContext;
  readonly #stat: StatView;

  constructor(context: WorkContext) {
    this.#context = context;
    this.#stat = new StatView(context.files);
  }

  /** The file of `row`, marked as unfinished. Throws FileError. */
  open(row: number): TargetHandle {
    const { plan, directories, files } = this.#context;
    const directory = directories.open(plan.parentOf(row));
    const name = plan.nameOf(row);
    const state = plan.stateOf(row);
    let handle: TargetHandle;
    if (state === rowState.update) handle = this.#openExisting(row, directory, name);
    else {
      if (state === rowState.replace) this.clear(directory, name);
      handle = files.createFile(directory, name);
    }
    return handle;
  }

  /** Removes what is in the way of an entry. A folder that is not empty only if folders may be cleared. */
  clear(directory: TargetHandle, name: Uint8Array): void {
    const { files, settings, isCancelled } = this.#context;
    if (settings.clearFolders) {
      removeTree(files, directory, name, isCancelled);
      return;
    }
    this.#stat.entry(directory, name);
    if (this.#stat.isDirectory) files.removeDirectory(directory, name);
    else files.removeFile(directory, name);
  }

  /** What a new entry in the directory of `row` inherits. */
  freshness(row: number): Freshness {
    const { plan, directories } = this.#context;
    if (plan.stateOf(row) === rowState.update) return "existed";
    const parent = plan.parentOf(row);
    const isOurs = plan.stateOf(parent) === rowState.created && directories.hasOwnGroup(parent);
    return isOurs ? "new and ours" : "new";
  }

  /**
   * True if a file may be written where it is: it has no other name, which might lie outside the target, and nobody
   * but the owner to be can hold it open.
   */
  isOwn(row: number, stat: StatView): boolean {
    const { plan, files, settings } = this.#context;
    if (!stat.isFile || stat.links !== 1) return false;
    return stat.uid === files.userId || (settings.ownership && stat.uid === plan.uidOf(row));
  }

  #openExisting(row: number, directory: TargetHandle, name: Uint8Array): TargetHandle {
    const { files, settings } = this.#context;
    const handle = files.openFile(directory, name, "write");
    try {
      this.#stat.handle(handle);
      // It was its own when it was looked at: somebody is at work here.
      if (!this.isOwn(row, this.#stat)) throw new FileError("EEXIST", "openat", "");
      if (settings.ownership) files.setOwner(handle, files.userId, files.groupId);
      files.setMode(handle, unfinishedMode);
      return handle;
    } catch (error) {
      files.close(handle);
      throw error;
    }
  }
}
