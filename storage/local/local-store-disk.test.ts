/** The local store on real disks that are full, read-only, gone, or cut off from their power. Needs root on Linux. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { allocateAligned } from "../../platform/node/aligned-memory.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Handle } from "../object-store.ts";
import { LocalStore } from "./local-store.ts";

const never = new AbortController().signal;
const mebibyte = 1024 * 1024;
const config: Handle = { type: "config", name: "" };
const base = mkdtempSync(join(tmpdir(), "backstay-local-disk-"));
const mounted: string[] = [];
let isAble = false;

const run = (program: string, ...values: string[]): string =>
  execFileSync(program, values, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

function tryUnmount(folder: string): void {
  try {
    run("umount", "-l", folder);
  } catch {
    // It is not mounted any more.
  }
}

function newFolder(): string {
  const folder = mkdtempSync(join(base, "disk-"));
  mounted.push(folder);
  return folder;
}

function mountMemory(options: string): string {
  const folder = newFolder();
  run("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder);
  return folder;
}

/** A file system in a file; `make` is its mkfs program. */
function mountImage(sizeBytes: number, make: string) {
  const image = join(base, `image-${mounted.length}`);
  writeFileSync(image, "");
  truncateSync(image, sizeBytes);
  run(make, "-q", image);
  const folder = newFolder();
  run("mount", "-o", "loop", image, folder);
  return { folder, image };
}

beforeAll(() => {
  try {
    tryUnmount(mountMemory("size=1m"));
    isAble = true;
  } catch {
    isAble = false;
  }
});
afterEach(() => {
  for (const folder of mounted.splice(0)) tryUnmount(folder);
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

const onDisk = (title: string, body: (context: TestContext) => Promise<void>): void => {
  it(title, async (context) => {
    if (!isAble) return context.skip("mounting file systems needs root on Linux");
    await body(context);
  }, 60_000);
};

async function newRepository(root: string): Promise<LocalStore> {
  const store = new LocalStore(root);
  await store.create(never);
  await store.save(config, Uint8Array.of(1), never);
  return store;
}

function newPack(sizeBytes: number): { handle: Handle; data: Uint8Array } {
  const data = allocateAligned(sizeBytes);
  data.set(randomBytes(sizeBytes));
  return { handle: { type: "data", name: nameOf(data) }, data };
}

const nameOf = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

/** Saves packs until one fails; returns the names of those that were stored, and the failure. */
async function saveUntilFailure(store: LocalStore, sizeBytes: number) {
  const stored: string[] = [];
  for (;;) {
    const { handle, data } = newPack(sizeBytes);
    const failure: unknown = await store.save(handle, data, never).catch((error) => error);
    if (failure !== undefined) {
      expect(failure).toBeInstanceOf(BackstayError);
      return { stored, failure: failure as BackstayError };
    }
    stored.push(handle.name);
  }
}

async function expectExactly(store: LocalStore, names: readonly string[]): Promise<void> {
  const listed = await Array.fromAsync(store.list("data", never));
  expect(listed.map((file) => file.name).sort()).toEqual([...names].sort());
  for (const name of names)
    expect(nameOf(await store.load({ type: "data", name }, undefined, never))).toBe(name);
}

const temporaryFiles = (root: string): string[] =>
  readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.includes("_tmp_"));

describe("LocalStore on a disk", () => {
  for (const [kind, mount] of [
    ["memory", () => mountMemory("size=8m")],
    ["ext4", () => mountImage(32 * mebibyte, "mkfs.ext4").folder],
  ] as const)
    onDisk(
      `that is full (${kind}) says so, keeps what it has and leaves nothing partial`,
      async () => {
        const root = join(mount(), "repository");
        const store = await newRepository(root);
        const { stored, failure } = await saveUntilFailure(store, 2 * mebibyte + 5);
        expect(failure).toMatchObject({ code: "STORE_FULL", kind: "permanent" });
        expect(failure.context["freeBytes"]).toBeLessThan(2 * mebibyte + 5);
        expect(stored.length).toBeGreaterThan(2);
        expect(temporaryFiles(root)).toEqual([]);
        await expectExactly(store, stored);
        const small = newPack(1000);
        await store.save(small.handle, small.data, never);
        await store.remove({ type: "data", name: stored[0] }, never);
        const large = newPack(2 * mebibyte + 5);
        await store.save(large.handle, large.data, never);
        await expectExactly(store, [...stored.slice(1), small.handle.name, large.handle.name]);
      },
    );
  onDisk("without free inodes says that these are what is missing", async () => {
    const root = join(mountMemory("size=8m,nr_inodes=300"), "repository");
    const { stored, failure } = await saveUntilFailure(await newRepository(root), 10);
    expect(failure).toMatchObject({ code: "STORE_FULL", context: { freeInodes: 0 } });
    expect(failure.context["freeBytes"]).toBeGreaterThan(mebibyte);
    await expectExactly(new LocalStore(root), stored);
  });
  onDisk("that is too small for a repository says so when it is created", async () => {
    const root = join(mountMemory("size=8m,nr_inodes=100"), "repository");
    await expect(new LocalStore(root).create(never)).rejects.toMatchObject({ code: "STORE_FULL" });
  });
  onDisk("that is read-only can be read, and refuses the rest for good", async () => {
    const folder = mountMemory("size=8m");
    const store = await newRepository(join(folder, "repository"));
    const { handle, data } = newPack(1000);
    await store.save(handle, data, never);
    run("mount", "-o", "remount,ro", folder);
    await expectExactly(store, [handle.name]);
    const other = newPack(1000);
    const denied = { code: "STORE_DENIED", kind: "permanent", context: { system: "EROFS" } };
    await expect(store.save(other.handle, other.data, never)).rejects.toMatchObject(denied);
    await expect(store.remove(handle, never)).rejects.toMatchObject(denied);
  });
  onDisk("that is not mounted any more gets nothing in its stead", async () => {
    const folder = mountMemory("size=8m");
    const store = await newRepository(folder);
    const { handle, data } = newPack(1000);
    await store.save(handle, data, never);
    run("umount", "-l", folder);
    const missing = { code: "STORE_MISSING", kind: "permanent" };
    const other = newPack(1000);
    await expect(store.save(other.handle, other.data, never)).rejects.toMatchObject(missing);
    await expect(Array.fromAsync(store.list("data", never))).rejects.toMatchObject(missing);
    await expect(store.load(handle, undefined, never)).rejects.toMatchObject(missing);
    expect(readdirSync(folder)).toEqual([]);
  });
  for (const make of ["mkfs.ext4", "mkfs.xfs"])
    onDisk(
      `keeps all that was reported as stored through a power cut (${make})`,
      async (context) => {
        try {
          run(make, "-V");
          run("xfs_io", "-V");
        } catch {
          return context.skip(`a power cut needs ${make} and xfs_io`);
        }
        // xfs makes no file system below 300 MB; the image is sparse.
        const { folder, image } = mountImage(320 * mebibyte, make);
        const root = join(folder, "repository");
        const store = await newRepository(root);
        const stored: string[] = [];
        const saveSome = async (count: number, sizeBytes: number): Promise<void> => {
          for (let i = 0; i < count; i += 1) {
            const { handle, data } = newPack(sizeBytes);
            await store.save(handle, data, never);
            stored.push(handle.name);
          }
        };
        await Promise.all([saveSome(20, 3000), saveSome(5, mebibyte + 3), saveSome(5, 700_000)]);
        const open = newPack(4 * mebibyte);
        const saving = store.save(open.handle, open.data, never).catch(() => undefined);
        // Everything that was not forced out to the disk is lost.
        run("xfs_io", "-x", "-c", "shutdown", folder);
        await saving;
        run("umount", folder);
        run("mount", "-o", "loop", image, folder);
        const after = new LocalStore(root);
        expect(await after.load(config, undefined, never)).toEqual(Uint8Array.of(1));
        const openSize = await after.stat(open.handle, never);
        if (openSize !== undefined) stored.push(open.handle.name);
        await expectExactly(after, stored);
      },
    );
});
