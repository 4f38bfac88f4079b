/** Open directories of the target, a bounded number of them, by their rows. */

import { statAt, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import type { TargetFiles, TargetHandle } from "../../../platform/ports/target-files.ts";
import type { RestorePlan } from "../plan/restore-plan.ts";

const openMax = 48;
const slash = 0x2f;

interface OpenDirectory {
  readonly handle: TargetHandle;
  /** New entries in it belong to the group of this process. */
  readonly hasOwnGroup: boolean;
}

/** One per thread. */
export class TargetDirectories {
  readonly #files: TargetFiles;
  readonly #plan: RestorePlan;
  readonly #root: OpenDirectory;
  /** The one used last is the last in the map. */
  readonly #open = new Map<number, OpenDirectory>();
  readonly #record = new Uint8Array(statRecordBytes);
  readonly #view = new DataView(this.#record.buffer);
  #path = new Uint8Array(1024);
  #lastRow = 0;
  #last: OpenDirectory;

  constructor(files: TargetFiles, plan: RestorePlan, root: TargetHandle) {
    this.#files = files;
    this.#plan = plan;
    this.#root = this.#describe(root);
    this.#last = this.#root;
  }

  /** The directory of a row. Valid until some other directories have been opened: use it at once. Throws FileError. */
  open(row: number): TargetHandle {
    return this.#find(row).handle;
  }

  hasOwnGroup(row: number): boolean {
    return this.#find(row).hasOwnGroup;
  }

  /** Closes everything but the root. */
  close(): void {
    for (const { handle } of this.#open.values()) this.#files.close(handle);
    this.#open.clear();
    this.#lastRow = 0;
    this.#last = this.#root;
  }

  #find(row: number): OpenDirectory {
    if (row === this.#lastRow) return this.#last;
    const found = this.#held(row) ?? this.#openBelow(row);
    this.#lastRow = row;
    this.#last = found;
    return found;
  }

  #held(row: number): OpenDirectory | undefined {
    if (row === 0) return this.#root;
    const held = this.#open.get(row);
    if (held !== undefined) {
      this.#open.delete(row);
      this.#open.set(row, held);
    }
    return held;
  }

  /** Opens it from the nearest directory above that is open. */
  #openBelow(row: number): OpenDirectory {
    const plan = this.#plan;
    let end = this.#path.length;
    let from = row;
    let above: OpenDirectory | undefined;
    let start = end;
    while (above === undefined) {
      const name = plan.nameOf(from);
      const needed = name.length + 1;
      if (start < needed) {
        const grown = new Uint8Array(this.#path.length * 2 + needed);
        grown.set(this.#path.subarray(start), grown.length - (end - start));
        start += grown.length - end;
        end = grown.length;
        this.#path = grown;
      }
      start -= needed;
      this.#path.set(name, start);
      this.#path[start + name.length] = slash;
      from = plan.parentOf(from);
      above = this.#held(from);
    }
    const handle = this.#files.openDirectory(above.handle, this.#path.subarray(start, end - 1));
    const opened = this.#describe(handle);
    this.#open.set(row, opened);
    if (this.#open.size > openMax) this.#closeOldest();
    return opened;
  }

  #closeOldest(): void {
    for (const [row, { handle }] of this.#open) {
      if (row === this.#lastRow) continue;
      this.#files.close(handle);
      this.#open.delete(row);
      return;
    }
  }

  #describe(handle: TargetHandle): OpenDirectory {
    this.#files.statHandle(handle, this.#record, 0);
    const group = this.#view.getUint32(statAt.gid, true);
    return { handle, hasOwnGroup: group === this.#files.groupId };
  }
}
