/** The paths of a backup as they are when it begins, and whether they are still there when it ends. */
import { FileError, type SourceFiles } from "../../../platform/ports/source-files.ts";
import { modeType, statAt, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import type { SelectionRoot } from "../select/root-tree.ts";
import { isSameDevice } from "./device-numbers.ts";

const slash = 0x2f;

export class SourceRoots {
  /** Those that exist. */
  readonly roots: readonly SelectionRoot[];
  readonly #files: SourceFiles;

  /** Looks at absolute `paths`. Of the missing ones `onMissing` is told that lie in others, where no walk meets them. */
  constructor(
    files: SourceFiles,
    paths: readonly Uint8Array[],
    onMissing: (path: Uint8Array, error: FileError) => void,
  ) {
    this.#files = files;
    const roots: SelectionRoot[] = [];
    for (const path of paths) {
      const record = new Uint8Array(statRecordBytes);
      try {
        files.stat(path, record, 0);
        roots.push({ path, record });
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        if (paths.some((other) => isBelow(path, other))) onMissing(path, error);
      }
    }
    this.roots = roots;
  }

  /**
   * SOURCE_LOST if a directory lies on another file system by now, or can't be looked at: then an unknown part of
   * it looked empty or gone.
   */
  assertStillThere(): void {
    const now = new Uint8Array(statRecordBytes);
    for (const { path, record } of this.roots) {
      if (((record[statAt.mode + 1] << 8) & modeType.mask) !== modeType.directory) continue;
      try {
        this.#files.stat(path, now, 0);
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        // Somebody removed it, as single files are removed.
        if (error.code === "ENOENT") continue;
        throw lost(path, error.code);
      }
      if (!isSameDevice(record, 0, now, 0)) throw lost(path, "unmounted");
    }
  }
}

function lost(path: Uint8Array, problem: string): BackstayError {
  return new BackstayError("SOURCE_LOST", { path: Buffer.from(path).toString(), problem });
}

/** True if an absolute path leads through another one. */
function isBelow(path: Uint8Array, other: Uint8Array): boolean {
  const isRoot = other.length === 1;
  if (path.length <= other.length || (!isRoot && path[other.length] !== slash)) return false;
  return Buffer.compare(path.subarray(0, other.length), other) === 0;
}
