/** The cache on disk: nothing that goes wrong with it may be more than lost time. */
import { mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MetadataCache } from "./metadata-cache.ts";

const id = "ab".repeat(32);
const nameOf = (i: number): string => i.toString(16).padStart(64, "0");
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
let root: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "backstay-cache-"));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function openCache(bytesMax?: number): Promise<MetadataCache> {
  const cache = await MetadataCache.open(root, id, bytesMax);
  if (cache === undefined) throw new Error("no cache");
  return cache;
}

describe("the metadata cache", () => {
  it("gives back what it keeps, whole and in ranges, until it is told to forget", async () => {
    const cache = await openCache();
    await cache.save("trees", nameOf(1), text("0123456789"));
    const again = await openCache();
    expect(await again.load("trees", nameOf(1))).toEqual(Buffer.from("0123456789"));
    expect(await again.loadRange("trees", nameOf(1), 3, 4)).toEqual(text("3456"));
    expect(await again.loadRange("trees", nameOf(1), 0, 10)).toEqual(text("0123456789"));
    for (const [offset, length] of [
      [0, 11],
      [10, 1],
      [2 ** 40, 5],
    ])
      expect(await again.loadRange("trees", nameOf(1), offset, length)).toBeUndefined();
    expect(await again.load("snapshots", nameOf(1))).toBeUndefined();
    await again.remove("trees", nameOf(1));
    expect(await cache.load("trees", nameOf(1))).toBeUndefined();
    expect(await cache.loadRange("trees", nameOf(1), 0, 1)).toBeUndefined();
    await cache.remove("trees", nameOf(1));
  });

  it("says to backup programs that it needs no backup, and shows its files to nobody else", async () => {
    await openCache();
    const tag = await stat(path.join(root, "CACHEDIR.TAG"));
    expect(tag.size).toBeGreaterThan(43);
    const { mode } = await stat(path.join(root, id, "trees"));
    if (process.platform !== "win32") expect(mode & 0o777).toBe(0o700);
  });

  it("is not opened where its folders can't be made", async () => {
    const file = path.join(root, "file");
    await writeFile(file, "");
    expect(await MetadataCache.open(file, id)).toBeUndefined();
    expect(await MetadataCache.open(path.join(root, "\0"), id)).toBeUndefined();
  });

  it("goes on without rejecting if nothing can be written or read", async () => {
    const cache = await openCache();
    await cache.save("trees", nameOf(1), text("kept"));
    await rm(path.join(root, id, "trees"), { recursive: true });
    await writeFile(path.join(root, id, "trees"), "a file in its place");
    await cache.save("trees", nameOf(2), text("lost"));
    expect(await cache.load("trees", nameOf(1))).toBeUndefined();
    await cache.touch("trees", nameOf(1));
    await cache.remove("trees", nameOf(1));
    await cache.keepOnly("trees", new Set());
    await cache.trim();
    await mkdir(path.join(root, id, "snapshots", nameOf(3)));
    expect(await cache.load("snapshots", nameOf(3))).toBeUndefined();
    expect(await cache.loadRange("snapshots", nameOf(3), 0, 1)).toBeUndefined();
    await cache.save("snapshots", nameOf(3), text("a folder is in its place"));
    expect(await readdir(path.join(root, id, "snapshots"))).toEqual([nameOf(3)]);
  });

  it("never reads or removes outside its folder, whatever name it is asked for", async () => {
    const cache = await openCache();
    const outside = path.join(root, "precious");
    await writeFile(outside, "precious");
    for (const name of ["../../precious", outside, "..", ".", "", "a/b", "A".repeat(64), "x\0"]) {
      const internal = expect.objectContaining({ code: "INTERNAL" });
      await expect(cache.load("trees", name)).rejects.toEqual(internal);
      await expect(cache.remove("trees", name)).rejects.toEqual(internal);
      await expect(cache.save("trees", name, text("x"))).rejects.toEqual(internal);
    }
    expect((await stat(outside)).size).toBe(8);
    await symlink(outside, path.join(root, id, "trees", nameOf(1)));
    await cache.save("trees", nameOf(1), text("replaces the link"));
    await cache.remove("trees", nameOf(1));
    expect((await stat(outside)).size).toBe(8);
  });

  it("keeps only what is named, and leaves what another process is writing", async () => {
    const cache = await openCache();
    for (let i = 0; i < 4; i += 1) await cache.save("snapshots", nameOf(i), text("x"));
    const writing = ".0123456789ab";
    await writeFile(path.join(root, id, "snapshots", writing), "half");
    await cache.keepOnly("snapshots", new Set([nameOf(2), nameOf(9)]));
    expect((await readdir(path.join(root, id, "snapshots"))).sort()).toEqual([writing, nameOf(2)]);
  });

  it("forgets the tree packs used longest ago, and nothing else, when it is too large", async () => {
    const cache = await openCache(5000);
    await cache.save("table", "blobs", new Uint8Array(2000));
    for (let i = 0; i < 6; i += 1) {
      await cache.save("trees", nameOf(i), new Uint8Array(1000));
      const usedLongAgo = new Date(Date.now() - 1_000_000 + i * 1000);
      await utimes(cache.pathOf("trees", nameOf(i)), usedLongAgo, usedLongAgo);
    }
    if ((await cache.load("trees", nameOf(0))) === undefined)
      await cache.save("trees", nameOf(0), new Uint8Array(1000));
    await cache.touch("trees", nameOf(0));
    await cache.trim();
    const left = (await readdir(path.join(root, id, "trees"))).sort();
    expect(left).toEqual([nameOf(0), nameOf(4), nameOf(5)]);
    expect(await cache.load("table", "blobs")).toHaveLength(2000);
  });

  it("trims itself while it is filled", async () => {
    const cache = await openCache(100_000);
    for (let i = 0; i < 60; i += 1) {
      await cache.save("trees", nameOf(i), new Uint8Array(10_000));
      const files = await readdir(path.join(root, id, "trees"));
      expect(files.length).toBeLessThanOrEqual(10 + 2);
    }
  });

  it("clears away what dead runs were writing, but nothing young", async () => {
    const cache = await openCache();
    const folder = path.join(root, id, "table");
    const [old, young] = [path.join(folder, ".00000000000a"), path.join(folder, ".00000000000b")];
    for (const file of [old, young]) await writeFile(file, "half");
    const yesterday = new Date(Date.now() - 25 * 60 * 60 * 1000);
    await utimes(old, yesterday, yesterday);
    await cache.trim();
    expect(await readdir(folder)).toEqual([path.basename(young)]);
  });

  it("gives whole copies to readers while others write the same names", async () => {
    const caches = await Promise.all([openCache(), openCache(), openCache()]);
    const copies = [1, 2, 3].map((value) => new Uint8Array(300_000).fill(value));
    let reads = 0;
    await Promise.all(
      caches.map(async (cache, i) => {
        for (let round = 0; round < 30; round += 1) {
          await cache.save("trees", nameOf(1), copies[i]);
          const read = await cache.load("trees", nameOf(1));
          if (read === undefined) continue;
          reads += 1;
          expect(Buffer.compare(read, copies[read[0] - 1])).toBe(0);
        }
      }),
    );
    expect(reads).toBeGreaterThan(80);
    expect(await readdir(path.join(root, id, "trees"))).toEqual([nameOf(1)]);
  });
});
