/**
 * Copies of metadata on the local disk: snapshot files and tree packs, as stored (sealed), and files of our
 * own. Everything here may vanish or be wrong at any time: readers check what they get, and tell the
 * cache to forget what proved bad.
 */

import { randomBytes } from "node:crypto";
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { BackstayError } from "../../../protocol/backstay-error.ts";

export const cacheKinds = ["snapshots", "trees", "table"] as const;
export type CacheKind = (typeof cacheKinds)[number];

/** What one repository may take, in bytes. */
const defaultBytesMax = 2 * 1024 * 1024 * 1024;
/** Tree packs are trimmed again after so many bytes were added. */
const trimmedAfterBytes = 256 * 1024 * 1024;
/** A file that was not renamed to its name for so long belongs to a run that is dead. */
const abandonedMs = 24 * 60 * 60 * 1000;
const cacheTag =
  "Signature: 8a477f597d28d172789f06886806bc55\n# Backstay's cache: safe to delete.\n";
const fileName = /^[0-9a-z][0-9a-z-]{0,127}$/;
const temporaryName = /^\.[0-9a-f]{12}$/;

interface CachedFile {
  readonly kind: CacheKind;
  readonly name: string;
  readonly sizeBytes: number;
  readonly usedMs: number;
}

/** Fills `bytes` from `position` of an open file; false if the file ends before. Rejects with the system's error. */
export async function readFully(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<boolean> {
  for (let filled = 0; filled < bytes.length; ) {
    const left = bytes.length - filled;
    const { bytesRead } = await handle.read(bytes, filled, left, position + filled);
    if (bytesRead === 0) return false;
    filled += bytesRead;
  }
  return true;
}

export class MetadataCache {
  /** Folder of this repository; other rooms keep files of their own there. */
  readonly directory: string;
  readonly #bytesMax: number;
  /** Bytes of tree packs that may still be added before the next trim. */
  #untrimmedBytes = 0;

  private constructor(directory: string, bytesMax: number) {
    this.directory = directory;
    this.#bytesMax = bytesMax;
  }

  /**
   * Opens the cache of a repository below `root`, or undefined if its folders can't be made. Tree packs beyond
   * `bytesMax` are forgotten from time to time.
   */
  static async open(
    root: string,
    repositoryId: string,
    bytesMax: number = defaultBytesMax,
  ): Promise<MetadataCache | undefined> {
    const directory = path.resolve(root, repositoryId);
    try {
      for (const kind of cacheKinds)
        await mkdir(path.join(directory, kind), { recursive: true, mode: 0o700 });
    } catch {
      // A cache is a convenience: a full or read-only disk costs time, not the backup.
      return undefined;
    }
    const tag = writeFile(path.join(root, "CACHEDIR.TAG"), cacheTag, { mode: 0o600, flag: "wx" });
    // It is there already, or can't be written; neither matters.
    await tag.catch(() => undefined);
    return new MetadataCache(directory, bytesMax);
  }

  /** The cached bytes, or undefined. */
  async load(kind: CacheKind, name: string): Promise<Uint8Array | undefined> {
    const file = this.pathOf(kind, name);
    try {
      return await readFile(file);
    } catch {
      return undefined;
    }
  }

  /** `length` cached bytes from `offset`, or undefined if there are not so many. */
  async loadRange(
    kind: CacheKind,
    name: string,
    offset: number,
    length: number,
  ): Promise<Uint8Array | undefined> {
    const file = this.pathOf(kind, name);
    let handle: FileHandle | undefined;
    try {
      handle = await open(file);
      if ((await handle.stat()).size < offset + length) return undefined;
      const bytes = new Uint8Array(length);
      return (await readFully(handle, bytes, offset)) ? bytes : undefined;
    } catch {
      return undefined;
    } finally {
      await handle?.close();
    }
  }

  /** Opens a copy to be read in parts, or undefined. The caller closes it. */
  async openFile(kind: CacheKind, name: string): Promise<FileHandle | undefined> {
    const file = this.pathOf(kind, name);
    return await open(file).catch(() => undefined);
  }

  /** Keeps a copy if that is possible; never rejects. The bytes may come in parts, each of which is written before the next is asked for. */
  async save(
    kind: CacheKind,
    name: string,
    bytes: Uint8Array | Iterable<Uint8Array>,
  ): Promise<void> {
    const file = this.pathOf(kind, name);
    const temporary = path.join(path.dirname(file), `.${randomBytes(6).toString("hex")}`);
    const parts = bytes instanceof Uint8Array ? [bytes] : bytes;
    let written = 0;
    try {
      const handle = await open(temporary, "wx", 0o600);
      try {
        for (const part of parts) {
          await handle.writeFile(part);
          written += part.length;
        }
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    } catch {
      // No space or no right: go on without.
      await rm(temporary, { force: true }).catch(() => undefined);
    }
    if (kind !== "trees") return;
    this.#untrimmedBytes -= written;
    if (this.#untrimmedBytes < 0) await this.trim();
  }

  /** Forgets a copy; never rejects. */
  async remove(kind: CacheKind, name: string): Promise<void> {
    await rm(this.pathOf(kind, name), { force: true }).catch(() => undefined);
  }

  /** Forgets copies whose name is not in `names`. */
  async keepOnly(kind: CacheKind, names: ReadonlySet<string>): Promise<void> {
    for (const name of await this.#names(kind))
      if (fileName.test(name) && !names.has(name)) await this.remove(kind, name);
  }

  /** Notes that a copy was useful, for `trim`. */
  async touch(kind: CacheKind, name: string): Promise<void> {
    const now = new Date();
    await utimes(this.pathOf(kind, name), now, now).catch(() => undefined);
  }

  /** Forgets what dead runs left behind, and the tree packs used longest ago until the cache is within its bounds. */
  async trim(): Promise<void> {
    this.#untrimmedBytes = Math.min(trimmedAfterBytes, this.#bytesMax / 8);
    const files: CachedFile[] = [];
    for (const kind of cacheKinds) {
      for (const name of await this.#names(kind)) {
        const found = await stat(path.join(this.directory, kind, name)).catch(() => undefined);
        if (found === undefined) continue;
        if (temporaryName.test(name)) await this.#removeAbandoned(kind, name, found.mtimeMs);
        else files.push({ kind, name, sizeBytes: found.size, usedMs: found.mtimeMs });
      }
    }
    let total = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    const evictable = files.filter(({ kind, name }) => kind === "trees" && fileName.test(name));
    for (const file of evictable.sort((a, b) => a.usedMs - b.usedMs)) {
      if (total <= this.#bytesMax) return;
      await this.remove(file.kind, file.name);
      total -= file.sizeBytes;
    }
  }

  /** Path of a file. INTERNAL for a name that no file here can have: it might lead elsewhere. */
  pathOf(kind: CacheKind, name: string): string {
    if (!fileName.test(name))
      throw new BackstayError("INTERNAL", { problem: "not a name of a cached file" });
    return path.join(this.directory, kind, name);
  }

  async #removeAbandoned(kind: CacheKind, name: string, changedMs: number): Promise<void> {
    if (Date.now() - changedMs < abandonedMs) return;
    await rm(path.join(this.directory, kind, name), { force: true }).catch(() => undefined);
  }

  async #names(kind: CacheKind): Promise<string[]> {
    return await readdir(path.join(this.directory, kind)).catch(() => []);
  }
}
