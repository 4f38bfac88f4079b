/**
 * A store in a folder of this machine (or of a mounted share), in restic's default layout. What it writes
 * is durable and appears whole or not at all (platform/ports/durable-files.ts).
 */
import { join, resolve } from "node:path";
import { type FileCalls, fileCalls } from "../../platform/node/file-calls.ts";
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import type { DurabilityWarning, DurableFiles } from "../../platform/ports/durable-files.ts";
import {
  BackstayError,
  type ErrorContext,
  isBackstayError,
} from "../../protocol/backstay-error.ts";
import { byteWindow } from "../byte-window.ts";
import { assertFileType, assertHandle, assertLoad, isFileName } from "../handle-name.ts";
import {
  type ByteRange,
  type FileType,
  fileTypes,
  type Handle,
  handlePath,
  type ObjectStore,
  type StoreCapabilities,
  type StoredFile,
} from "../object-store.ts";
import { foldersOf, walkFolder } from "./folder-walk.ts";
import { systemErrorName, toStoreError } from "./local-errors.ts";
import { isContent, openRegular, readWhole, regularSize } from "./regular-file.ts";
import { RepositoryPlace } from "./repository-place.ts";

/** Measured: a third writer gains nothing, and Node's pool has four threads for everything. */
const connectionsLiked = 2;
const leftoverAgeMsMin = 24 * 60 * 60 * 1000;

export interface LocalStoreOptions {
  /** How files are written; the best of this system by default. */
  readonly files?: DurableFiles;
  /** The calls for everything else; a test's failing ones go into both. */
  readonly calls?: FileCalls;
  /** Wall clock in ms since 1970, for the age of leftovers. */
  readonly now?: () => number;
  readonly warn?: (warning: DurabilityWarning) => void;
}

export class LocalStore implements ObjectStore {
  readonly location: string;
  readonly #calls: FileCalls;
  readonly #files: DurableFiles;
  readonly #place: RepositoryPlace;
  readonly #now: () => number;

  /** `root` is the repository's folder; only `create` makes it. */
  constructor(root: string, options: LocalStoreOptions = {}) {
    this.location = resolve(root);
    this.#calls = options.calls ?? fileCalls;
    this.#files =
      options.files ??
      openDurableFiles({
        calls: this.#calls,
        ...(options.warn === undefined ? {} : { warn: options.warn }),
      });
    this.#place = new RepositoryPlace(this.location, this.#calls, this.#files);
    this.#now = options.now ?? Date.now;
  }

  get capabilities(): StoreCapabilities {
    const { atomicCreate } = this.#files;
    return { connections: connectionsLiked, atomicCreate, ownObjects: true };
  }

  async create(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#translated({ place: this.location }, () => this.#place.create(signal));
  }

  async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    signal.throwIfAborted();
    await this.#translated({ file: handlePath(handle) }, async () => {
      if (await this.#holds(handle, data, signal)) return;
      if ((await this.#createFile(handle, data, signal)) === "created") return;
      if (await this.#holds(handle, data, signal)) return;
      throw await this.#blocked(handle);
    });
  }

  async load(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    assertLoad(handle, range, signal);
    return await this.#translated({ file: handlePath(handle) }, async () => {
      const opened = await openRegular(this.#calls, this.#pathOf(handle));
      if (opened === undefined) {
        await this.#place.assertStillHere();
        throw new BackstayError("STORE_NOT_FOUND", { file: handlePath(handle) });
      }
      const { file, size } = opened;
      try {
        const window = byteWindow(handle, size, range);
        // Not zeroed: it is returned only when all of it has been read.
        const data = new Uint8Array(Buffer.allocUnsafeSlow(window.length).buffer);
        const read = await readWhole(file, data, window.offset, signal);
        // Shorter than it was a moment ago: somebody cuts it.
        if (read < data.length) byteWindow(handle, window.offset + read, window);
        if (handle.type === "config") this.#place.noteSeen();
        return data;
      } finally {
        await file.close();
      }
    });
  }

  async *list(type: FileType, signal: AbortSignal): AsyncIterable<StoredFile> {
    assertFileType(type);
    signal.throwIfAborted();
    if (type === "config") return;
    try {
      let isEmpty = true;
      for (const folder of await foldersOf(this.#calls, this.location, type)) {
        const prefix = type === "data" ? folder.slice(-2) : "";
        const isWanted = (name: string): boolean =>
          isFileName(type, name) && name.startsWith(prefix);
        for await (const { names } of walkFolder(this.#calls, folder, isWanted)) {
          signal.throwIfAborted();
          const sizes = await Promise.all(
            names.map((name) => regularSize(this.#calls, join(folder, name))),
          );
          for (const [i, size] of sizes.entries()) {
            if (size === undefined) continue;
            isEmpty = false;
            yield { name: names[i], size };
          }
        }
        signal.throwIfAborted();
      }
      if (isEmpty) await this.#place.assertStillHere();
    } catch (error) {
      throw toStoreError(error, { folder: type });
    }
  }

  async stat(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    assertHandle(handle);
    signal.throwIfAborted();
    return await this.#translated({ file: handlePath(handle) }, async () => {
      const size = await regularSize(this.#calls, this.#pathOf(handle));
      if (handle.type === "config") {
        if (size !== undefined) this.#place.noteSeen();
      } else if (size === undefined) await this.#place.assertStillHere();
      return size;
    });
  }

  /** Durable when it resolves, but for packs and locks: those go last, and coming back does no harm. */
  async remove(handle: Handle, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    signal.throwIfAborted();
    await this.#translated({ file: handlePath(handle) }, async () => {
      const path = this.#pathOf(handle);
      try {
        await this.#calls.unlink(path);
      } catch (error) {
        const name = systemErrorName(error);
        if (name !== "ENOENT" && name !== "ENOTDIR") throw error;
        return await this.#place.assertStillHere();
      }
      if (handle.type === "config") this.#place.noteRemoved();
      if (handle.type !== "data" && handle.type !== "locks")
        await this.#files.syncDirectory(join(path, ".."));
    });
  }

  async sweep(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    let removed = 0;
    const isWanted = (name: string): boolean => this.#files.isTemporaryName(name);
    await this.#translated({ place: this.location }, async () => {
      for (const type of fileTypes)
        for (const folder of await foldersOf(this.#calls, this.location, type))
          for await (const { names } of walkFolder(this.#calls, folder, isWanted))
            for (const name of names) {
              signal.throwIfAborted();
              if (await this.#removeLeftover(join(folder, name))) removed += 1;
            }
    });
    return removed;
  }

  async close(): Promise<void> {}

  #pathOf(handle: Handle): string {
    return join(this.location, handlePath(handle));
  }

  async #createFile(
    handle: Handle,
    data: Uint8Array,
    signal: AbortSignal,
  ): Promise<"created" | "exists"> {
    const { file: mode } = await this.#place.modes();
    const path = this.#pathOf(handle);
    try {
      return await this.#files.createFile(path, data, mode, signal);
    } catch (error) {
      if (systemErrorName(error) !== "ENOENT") throw error;
    }
    await this.#place.makeFolderFor(handle);
    return await this.#files.createFile(path, data, mode, signal);
  }

  /** True if the file is there with this content, which is then durable. STORE_EXISTS if it has another. */
  async #holds(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const opened = await openRegular(this.#calls, this.#pathOf(handle));
    if (opened === undefined) return false;
    const { file, size } = opened;
    try {
      if (size !== data.length || !(await isContent(file, data, signal)))
        throw new BackstayError("STORE_EXISTS", { file: handlePath(handle), sizeBytes: size });
    } finally {
      await file.close();
    }
    // Whoever wrote it may have died between writing and making it durable.
    await this.#files.syncFile(this.#pathOf(handle));
    return true;
  }

  /** The name is taken, but not by a file: by a folder, a fifo, a link to nothing, or one that is gone already. */
  async #blocked(handle: Handle): Promise<BackstayError> {
    const context = { file: handlePath(handle), problem: "its name is taken by no regular file" };
    try {
      await this.#calls.lstat(this.#pathOf(handle));
      return new BackstayError("STORE_EXISTS", context);
    } catch (error) {
      if (systemErrorName(error) !== "ENOENT") throw error;
      return new BackstayError("STORE_UNAVAILABLE", context);
    }
  }

  async #removeLeftover(path: string): Promise<boolean> {
    try {
      const { mtimeMs } = await this.#calls.lstat(path);
      if (this.#now() - mtimeMs < leftoverAgeMsMin) return false;
      await this.#calls.unlink(path);
      return true;
    } catch (error) {
      if (systemErrorName(error) === "ENOENT") return false;
      throw error;
    }
  }

  async #translated<T>(context: ErrorContext, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      const translated = toStoreError(error, context);
      if (isBackstayError(translated, "STORE_FULL") && translated !== error)
        throw toStoreError(error, { ...context, ...(await this.#freeSpace()) });
      throw translated;
    }
  }

  /** Tells a disk without free bytes from one without free inodes. */
  async #freeSpace(): Promise<ErrorContext> {
    try {
      const { bavail, bsize, files, ffree } = await this.#calls.statfs(this.location);
      return { freeBytes: bavail * bsize, ...(files === 0 ? {} : { freeInodes: ffree }) };
    } catch {
      return {};
    }
  }
}
