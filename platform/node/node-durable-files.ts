/**
 * Durable new files with what Node offers on every system: a temporary name in the same folder, write,
 * fsync, a hard link to the final name (which refuses a taken one), fsync of the folder.
 *
 * Invariants
 * 1. The final name appears only after fsync of the content has succeeded.
 * 2. A file whose fsync failed is deleted: what a later fsync says about it is worth nothing.
 * 3. Whatever fails, the temporary name is removed; only a dead process leaves one behind.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DurabilityWarning, DurableFiles } from "../ports/durable-files.ts";
import { allocateAligned, isAligned } from "./aligned-memory.ts";
import { type FileCalls, fileCalls } from "./file-calls.ts";
import { writeWhole } from "./whole-write.ts";

/** Has `_`, which is in no name of a repository. */
const temporaryName = /^backstay_tmp_[0-9a-f]{24}$/;

/** Writes to a file open for it; on return all of `data` has been accepted by the system. */
export type ContentWriter = (
  file: FileHandle,
  data: Uint8Array,
  signal: AbortSignal,
) => Promise<void>;

export interface NodeDurableFilesOptions {
  readonly calls?: FileCalls;
  /** Told once of each kind. */
  readonly warn?: (warning: DurabilityWarning) => void;
  /** How the content is written; plain buffered writes unless the system has something better. */
  readonly writeContent?: ContentWriter;
  /** Renames unless the new name is taken (`EEXIST`), without a race; undefined where there is no such call. */
  readonly renameToFree?: (from: string, to: string) => Promise<void>;
}

export class NodeDurableFiles implements DurableFiles {
  readonly #calls: FileCalls;
  readonly #warn: (warning: DurabilityWarning) => void;
  readonly #writeContent: ContentWriter;
  readonly #renameToFree: ((from: string, to: string) => Promise<void>) | undefined;
  #atomicCreate = true;
  #warned = false;

  constructor(options: NodeDurableFilesOptions = {}) {
    this.#calls = options.calls ?? fileCalls;
    this.#warn = options.warn ?? (() => undefined);
    this.#writeContent =
      options.writeContent ??
      ((file, data, signal) => writeWhole(file, data, 0, data.length, signal));
    this.#renameToFree = options.renameToFree;
  }

  get atomicCreate(): boolean {
    return this.#atomicCreate;
  }

  allocateAligned(sizeBytes: number): Uint8Array {
    return allocateAligned(sizeBytes);
  }

  isAligned(data: Uint8Array): boolean {
    return isAligned(data);
  }

  isTemporaryName(name: string): boolean {
    return temporaryName.test(name);
  }

  async createFile(
    path: string,
    data: Uint8Array,
    mode: number,
    signal: AbortSignal,
  ): Promise<"created" | "exists"> {
    signal.throwIfAborted();
    const directory = dirname(path);
    const temporary = join(directory, `backstay_tmp_${randomBytes(12).toString("hex")}`);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    const file = await this.#calls.open(temporary, flags, mode | 0o200);
    let isTemporaryThere = true;
    try {
      await this.#fill(file, data, mode, signal);
      signal.throwIfAborted();
      const outcome = await this.#publish(temporary, path);
      isTemporaryThere = outcome !== "renamed";
      if (outcome === "exists") return "exists";
    } finally {
      if (isTemporaryThere) await this.#tryRemove(temporary);
    }
    await this.syncDirectory(directory);
    return "created";
  }

  async syncFile(path: string): Promise<void> {
    const file = await this.#calls.open(path, constants.O_RDONLY);
    try {
      await this.#sync(file);
    } finally {
      await file.close();
    }
    await this.syncDirectory(dirname(path));
  }

  async syncDirectory(path: string): Promise<void> {
    if (process.platform === "win32") return;
    const directory = await this.#calls.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await this.#sync(directory);
    } finally {
      await directory.close();
    }
  }

  /** Writes, sets the mode, syncs and closes: an error of any of them is an error of the write. */
  async #fill(
    file: FileHandle,
    data: Uint8Array,
    mode: number,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#writeContent(file, data, signal);
      await setMode(file, mode);
      signal.throwIfAborted();
      await this.#sync(file);
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    await file.close();
  }

  async #sync(file: FileHandle): Promise<void> {
    try {
      await file.sync();
    } catch (error) {
      if (!hasCode(error, "EINVAL", "ENOTSUP", "ENOSYS")) throw error;
      if (!this.#warned) this.#warn("sync-unsupported");
      this.#warned = true;
    }
  }

  async #publish(temporary: string, path: string): Promise<"linked" | "renamed" | "exists"> {
    try {
      await this.#calls.link(temporary, path);
      return "linked";
    } catch (error) {
      if (hasCode(error, "EEXIST")) return "exists";
      // FAT, SMB and some FUSE file systems have no hard links, each says so in another way.
      if (!hasCode(error, "EPERM", "EACCES", "ENOTSUP", "ENOSYS", "EINVAL", "EMLINK")) throw error;
    }
    try {
      await this.#rename(temporary, path);
      return "renamed";
    } catch (error) {
      if (hasCode(error, "EEXIST")) return "exists";
      throw error;
    }
  }

  async #rename(temporary: string, path: string): Promise<void> {
    if (this.#renameToFree !== undefined) {
      try {
        return await this.#renameToFree(temporary, path);
      } catch (error) {
        if (!hasCode(error, "EINVAL", "ENOSYS", "ENOTSUP")) throw error;
      }
    }
    this.#atomicCreate = false;
    const present = await this.#calls.lstat(path).catch((error: unknown) => {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    });
    if (present !== undefined) throw Object.assign(new Error("name taken"), { code: "EEXIST" });
    await this.#calls.rename(temporary, path);
  }

  /** A leftover harms nothing and is swept a day later, so its removal may fail. */
  async #tryRemove(temporary: string): Promise<void> {
    await this.#calls.unlink(temporary).catch(() => undefined);
  }
}

/** Permission bits are a courtesy: exFAT and SMB refuse them, and on Windows read-only files resist removal. */
async function setMode(file: FileHandle, mode: number): Promise<void> {
  if (process.platform === "win32") return;
  await file.chmod(mode).catch((error: unknown) => {
    if (!hasCode(error, "EPERM", "EACCES", "ENOTSUP", "ENOSYS", "EINVAL", "EROFS")) throw error;
  });
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
