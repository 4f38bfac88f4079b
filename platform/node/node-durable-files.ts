/**
 * Durable new files: a file under no name or a temporary one in the same folder, write, fsync, the final
 * name by a call that refuses a taken one, fsync of the folder.
 *
 * Invariants
 * 1. The final name appears only after fsync of the content has succeeded.
 * 2. A file whose fsync failed is deleted: what a later fsync says about it is worth nothing.
 * 3. Whatever fails, the temporary name is removed; only a dead process leaves one behind, and not even
 *    that where files without a name exist (Linux, most local file systems).
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DurabilityWarning, DurableFiles } from "../ports/durable-files.ts";
import { allocateAligned, isAligned } from "./aligned-memory.ts";
import { writeContent } from "./content-write.ts";
import { type ExtraFileCalls, hasCode } from "./extra-file-calls.ts";
import { type FileCalls, fileCalls } from "./file-calls.ts";

/** Has `_`, which is in no name of a repository. */
const temporaryName = /^backstay_tmp_[0-9a-f]{24}$/;
const newFileFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

export interface NodeDurableFilesOptions {
  readonly calls?: FileCalls;
  readonly extra?: ExtraFileCalls;
  /** Told once. */
  readonly warn?: (warning: DurabilityWarning) => void;
}

export class NodeDurableFiles implements DurableFiles {
  readonly #calls: FileCalls;
  readonly #extra: ExtraFileCalls;
  readonly #warn: (warning: DurabilityWarning) => void;
  #atomicCreate = true;
  #hasUnnamed: boolean;
  #isWarned = false;

  constructor(options: NodeDurableFilesOptions = {}) {
    this.#calls = options.calls ?? fileCalls;
    this.#extra = options.extra ?? {};
    this.#warn = options.warn ?? (() => undefined);
    this.#hasUnnamed =
      this.#extra.openUnnamed !== undefined && this.#extra.linkUnnamed !== undefined;
  }

  get atomicCreate(): boolean {
    return this.#atomicCreate;
  }

  allocateAligned(sizeBytes: number, isShared?: boolean): Uint8Array {
    return allocateAligned(sizeBytes, isShared);
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
    const outcome =
      (await this.#createUnnamed(path, data, mode, signal)) ??
      (await this.#createNamed(path, data, mode, signal));
    if (outcome === "created") await this.syncDirectory(dirname(path));
    return outcome;
  }

  async replaceFile(
    path: string,
    data: Uint8Array,
    mode: number,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const temporary = temporaryPath(dirname(path));
    try {
      const file = await this.#calls.open(temporary, newFileFlags, mode | 0o200);
      await this.#fillAndClose(file, data, mode, signal);
      await this.#calls.rename(temporary, path);
    } catch (error) {
      await this.#tryRemove(temporary);
      throw error;
    }
    await this.syncDirectory(dirname(path));
  }

  async syncFile(path: string): Promise<void> {
    // Windows flushes only what is open for writing.
    const access = process.platform === "win32" ? constants.O_RDWR : constants.O_RDONLY;
    const file = await this.#calls.open(path, access);
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

  /** Undefined where the file system or the system can't do it. */
  async #createUnnamed(
    path: string,
    data: Uint8Array,
    mode: number,
    signal: AbortSignal,
  ): Promise<"created" | "exists" | undefined> {
    const { openUnnamed, linkUnnamed } = this.#extra;
    if (!this.#hasUnnamed || openUnnamed === undefined || linkUnnamed === undefined)
      return undefined;
    let file: FileHandle;
    try {
      file = await openUnnamed(dirname(path), mode | 0o200);
    } catch (error) {
      if (!hasCode(error, "ENOTSUP", "EINVAL", "ENOSYS", "EISDIR")) throw error;
      this.#hasUnnamed = false;
      return undefined;
    }
    let outcome: "created" | "exists" | undefined;
    try {
      await this.#fill(file, data, mode, signal);
      outcome = await this.#linkUnnamed(linkUnnamed, file, path);
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    // Late write errors of network file systems show here; the file has its name by then, but fsync has passed.
    await file.close();
    return outcome;
  }

  async #linkUnnamed(
    link: NonNullable<ExtraFileCalls["linkUnnamed"]>,
    file: FileHandle,
    path: string,
  ): Promise<"created" | "exists" | undefined> {
    try {
      await link(file, path);
      return "created";
    } catch (error) {
      if (hasCode(error, "EEXIST")) return "exists";
      // Without /proc, or where the file system lets no such file be linked, names are given otherwise.
      if (!hasCode(error, "ENOENT", "EPERM", "EACCES", "ENOTSUP", "EINVAL", "ENOSYS", "EXDEV"))
        throw error;
      this.#hasUnnamed = false;
      return undefined;
    }
  }

  async #createNamed(
    path: string,
    data: Uint8Array,
    mode: number,
    signal: AbortSignal,
  ): Promise<"created" | "exists"> {
    const temporary = temporaryPath(dirname(path));
    let isTemporaryThere = true;
    try {
      const file = await this.#calls.open(temporary, newFileFlags, mode | 0o200);
      await this.#fillAndClose(file, data, mode, signal);
      const outcome = await this.#publish(temporary, path);
      isTemporaryThere = outcome !== "renamed";
      return outcome === "exists" ? "exists" : "created";
    } finally {
      if (isTemporaryThere) await this.#tryRemove(temporary);
    }
  }

  async #fillAndClose(
    file: FileHandle,
    data: Uint8Array,
    mode: number,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#fill(file, data, mode, signal);
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    await file.close();
  }

  /** On return the content is durable, and nobody may stop the file from getting its name. */
  async #fill(
    file: FileHandle,
    data: Uint8Array,
    mode: number,
    signal: AbortSignal,
  ): Promise<void> {
    await writeContent(file, data, this.#extra, signal);
    await setMode(file, mode);
    signal.throwIfAborted();
    await this.#sync(file);
    signal.throwIfAborted();
  }

  async #sync(file: FileHandle): Promise<void> {
    try {
      await file.sync();
    } catch (error) {
      if (!hasCode(error, "EINVAL", "ENOTSUP", "ENOSYS")) throw error;
      if (!this.#isWarned) this.#warn("sync-unsupported");
      this.#isWarned = true;
    }
  }

  async #publish(temporary: string, path: string): Promise<"linked" | "renamed" | "exists"> {
    try {
      await this.#calls.link(temporary, path);
      return "linked";
    } catch (error) {
      if (hasCode(error, "EEXIST")) return "exists";
      // FAT, SMB and some FUSE file systems have no hard links, and each says so in another way.
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
    if (this.#extra.renameToFree !== undefined) {
      try {
        return await this.#extra.renameToFree(temporary, path);
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

function temporaryPath(folder: string): string {
  return join(folder, `backstay_tmp_${randomBytes(12).toString("hex")}`);
}

/** Permission bits are a courtesy: exFAT and SMB refuse them, and on Windows read-only files resist removal. */
async function setMode(file: FileHandle, mode: number): Promise<void> {
  if (process.platform === "win32") return;
  await file.chmod(mode).catch((error: unknown) => {
    if (!hasCode(error, "EPERM", "EACCES", "ENOTSUP", "ENOSYS", "EINVAL")) throw error;
  });
}
