/** Opens the folders of the walk, also where the system is short of descriptors or a symlink leads on the way to a target. */
import {
  FileError,
  type SourceDirectory,
  type SourceFiles,
} from "../../../platform/ports/source-files.ts";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import type { DirectoryState } from "./directory-state.ts";
import { type TargetNode, throughLink } from "./target-tree.ts";

export class FolderOpener {
  readonly #files: SourceFiles;
  readonly #settle: () => boolean;

  /** `settle` waits for files that are under way, which closes folders; false if there are none. */
  constructor(files: SourceFiles, settle: () => boolean) {
    this.#files = files;
    this.#settle = settle;
  }

  /** The top of the walk, its stat record in `record`. SOURCE_MISSING if it can't be opened. */
  openRoot(root: TargetNode, record: Uint8Array): SourceDirectory {
    try {
      const directory = this.#files.openDirectory(root.path);
      directory.stat(undefined, record, 0);
      return directory;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      // A working directory that was removed.
      throw new BackstayError("SOURCE_MISSING", { problem: error.message });
    }
  }

  /** The folder at an entry; `way` is set if it lies on the way to a target. Throws FileError. */
  openChild(state: DirectoryState, index: number, way: TargetNode | undefined): SourceDirectory {
    const { directory } = state;
    if (directory === undefined) throw new Error("a directory that is closed already");
    for (;;) {
      try {
        return directory.openDirectory(state.nameOf(index));
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        const isShort = error.code === "EMFILE" || error.code === "ENFILE";
        if (isShort && this.#settle()) continue;
        if (way === undefined || isShort) throw error;
        return this.#files.openDirectory(throughLink(way.path));
      }
    }
  }

  /** The first bytes of a small file, for marker files; undefined if it can't be read. */
  readHead(directory: SourceDirectory, name: Uint8Array, length: number): Uint8Array | undefined {
    try {
      const file = this.#files.openFile(directory.token, name);
      try {
        const head = new Uint8Array(length);
        return head.subarray(0, file.read(head, 0, length, 0));
      } finally {
        file.close();
      }
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      return undefined;
    }
  }
}
