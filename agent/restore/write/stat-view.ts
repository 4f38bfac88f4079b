/** Reads the stat record of one entry of the target. */
import { modeType, statAt, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import type { TargetFiles, TargetHandle } from "../../../platform/ports/target-files.ts";

/** Holds one record; each question goes to the one asked for last. */
export class StatView {
  readonly #files: TargetFiles;
  readonly #record = new Uint8Array(statRecordBytes);
  readonly #view = new DataView(this.#record.buffer);

  constructor(files: TargetFiles) {
    this.#files = files;
  }

  /** Throws FileError. */
  entry(directory: TargetHandle, name: Uint8Array): void {
    this.#files.stat(directory, name, this.#record, 0);
  }

  /** Throws FileError. */
  handle(handle: TargetHandle): void {
    this.#files.statHandle(handle, this.#record, 0);
  }

  get type(): number {
    return this.#view.getUint32(statAt.mode, true) & modeType.mask;
  }

  get isFile(): boolean {
    return this.type === modeType.file;
  }

  get isDirectory(): boolean {
    return this.type === modeType.directory;
  }

  /** 0 … 07777 */
  get permissions(): number {
    return this.#view.getUint32(statAt.mode, true) & 0o7777;
  }

  get uid(): number {
    return this.#view.getUint32(statAt.uid, true);
  }

  get gid(): number {
    return this.#view.getUint32(statAt.gid, true);
  }

  get links(): number {
    return this.#view.getUint32(statAt.links, true);
  }

  /** Bytes. */
  get size(): number {
    return this.#wide(statAt.size);
  }

  get seconds(): number {
    return this.#wide(statAt.mtime);
  }

  get nanoseconds(): number {
    return this.#view.getUint32(statAt.mtimeNs, true);
  }

  get device(): bigint {
    return this.#view.getBigUint64(statAt.rdev, true);
  }

  /** Inode and device of its file system as four words, which together name the entry. */
  get identity(): readonly [number, number, number, number] {
    const view = this.#view;
    return [
      view.getInt32(statAt.inode, true),
      view.getInt32(statAt.inode + 4, true),
      view.getInt32(statAt.device, true),
      view.getInt32(statAt.device + 4, true),
    ];
  }

  #wide(at: number): number {
    return this.#view.getInt32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }
}

/** True if two identities name the same entry. */
export function isSameEntry(a: readonly number[], b: readonly number[]): boolean {
  return a.every((word, index) => word === b[index]);
}
