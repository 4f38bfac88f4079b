/**
 * Copies of metadata on the local disk: index and snapshot files and tree packs, as stored (sealed), and
 * files of our own. Everything here may vanish or be wrong at any time: readers check what they get,
 * and tell the cache to forget what proved bad.
 */
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { randomBytes } from "node:crypto";

export const cacheKinds = ["index", "snapshots", "trees", "table"] as const;
export type CacheKind = (typeof cacheKinds)[number];

/** What one repository may take, in bytes. */
const defaultBytesMax = 2 * 1024 * 1024 * 1024;
const cacheTag = "Signature: 8a477f597d28d172789f06886806bc55\n# Backstay's cache: safe to delete.\n";

export class MetadataCache {
  /** Folder of this repository; other rooms keep files of their own there. */
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Opens the cache of a repository below `root`, or undefined if the folder can't be made or written. */
  static async open(root: string, repositoryId: string): Promise<MetadataCache | undefined> {
    const directory = path.join(root, repositoryId);
    try {
      for (const kind of cacheKinds)
        await mkdir(path.join(directory, kind), { recursive: true, mode: 0o700 });
      await writeFile(path.join(root, "CACHEDIR.TAG"), cacheTag, { mode: 0o600 });
      return new MetadataCache(directory);
    } catch {
      // A cache is a convenience: a full or read-only disk costs time, not the backup.
      return undefined;
    }
  }

  /** The cached bytes, or undefined. */
  async load(kind: CacheKind, name: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.pathOf(kind, name));
    } catch {
      return undefined;
    }
  }

  /** Keeps a copy if that is possible; never rejects. */
  async save(kind: CacheKind, name: string, bytes: Uint8Array): Promise<void> {
    const temporary = this.pathOf(kind, `.${randomBytes(6).toString("hex")}`);
    try {
      await writeFile(temporary, bytes, { mode: 0o600 });
      await rename(temporary, this.pathOf(kind, name));
    } catch {
      // No space or no right: go on without.
      await rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  /** Forgets a copy; never rejects. */
  async remove(kind: CacheKind, name: string): Promise<void> {
    await rm(this.pathOf(kind, name), { force: true }).catch(() => undefined);
  }

  /** Forgets copies whose name is not in `names`. */
  async keepOnly(kind: CacheKind, names: ReadonlySet<string>): Promise<void> {
    for (const name of await this.#names(kind))
      if (!names.has(name)) await this.remove(kind, name);
  }

  /** Notes that a copy was useful, for `trim`. */
  async touch(kind: CacheKind, name: string): Promise<void> {
    const now = new Date();
    await utimes(this.pathOf(kind, name), now, now).catch(() => undefined);
  }

  /** Forgets the tree packs used longest ago until the cache takes at most `bytesMax`. */
  async trim(bytesMax: number = defaultBytesMax): Promise<void> {
    const files: { kind: CacheKind; name: string; size: number; usedMs: number }[] = [];
    for (const kind of cacheKinds) {
      for (const name of await this.#names(kind)) {
        const found = await stat(this.pathOf(kind, name)).catch(() => undefined);
        if (found !== undefined) files.push({ kind, name, size: found.size, usedMs: found.mtimeMs });
      }
    }
    let total = files.reduce((sum, file) => sum + file.size, 0);
    const evictable = files.filter((file) => file.kind === "trees");
    for (const file of evictable.sort((a, b) => a.usedMs - b.usedMs)) {
      if (total <= bytesMax) return;
      await this.remove(file.kind, file.name);
      total -= file.size;
    }
  }

  pathOf(kind: CacheKind, name: string): string {
    return path.join(this.directory, kind, name);
  }

  async #names(kind: CacheKind): Promise<string[]> {
    return await readdir(path.join(this.directory, kind)).catch(() => []);
  }
}
