import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { NodeDurableFiles } from "../../platform/node/node-durable-files.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { fileTypes, type Handle } from "../object-store.ts";
import { describeStoreContract } from "../store-contract.ts";
import { LocalStore } from "./local-store.ts";

const never = new AbortController().signal;
const base = mkdtempSync(join(tmpdir(), "backstay-local-store-"));
const memory = newMemoryFolder("backstay-local-store-");
afterEach(() => {
  for (const folder of [base, memory])
    for (const root of readdirSync(folder)) rmSync(join(folder, root), { recursive: true });
});
afterAll(() => {
  rmdirSync(base);
  rmdirSync(memory);
});
let stores = 0;
const newRoot = (folder = memory): string => {
  stores += 1;
  return join(folder, `store-${stores}`);
};

const config: Handle = { type: "config", name: "" };
const pack: Handle = { type: "data", name: "ab".repeat(32) };
const index: Handle = { type: "index", name: "cd".repeat(32) };
const bytes = Uint8Array.of(1, 2, 3);
const modeOf = (path: string): number => statSync(path).mode & 0o7777;

async function newRepository(): Promise<{ root: string; store: LocalStore }> {
  const root = newRoot();
  const store = new LocalStore(root);
  await store.create(never);
  await store.save(config, bytes, never);
  return { root, store };
}

describeStoreContract("LocalStore", async () => new LocalStore(newRoot(base)));
describeStoreContract(
  "LocalStore with Node's calls only",
  async () => new LocalStore(newRoot(), { files: new NodeDurableFiles() }),
);

describe("the layout of LocalStore", () => {
  it("is restic's, private to its owner", async () => {
    const { root, store } = await newRepository();
    for (const type of fileTypes)
      if (type !== "config") await store.save({ type, name: pack.name }, bytes, never);
    const folders = fileTypes.filter((type) => type !== "config").sort();
    expect(readdirSync(root).sort()).toEqual([...folders, "config"].sort());
    const prefixes = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
    expect(readdirSync(join(root, "data")).sort()).toEqual(prefixes);
    expect(readFileSync(join(root, "config"))).toEqual(Buffer.from(bytes));
    expect(readdirSync(join(root, "data", "ab"))).toEqual([pack.name]);
    for (const folder of ["", "data", "data/ab", "keys", "backstay"])
      expect([folder, modeOf(join(root, folder))]).toEqual([folder, 0o700]);
    for (const file of ["config", `data/ab/${pack.name}`, `keys/${pack.name}`])
      expect([file, modeOf(join(root, file))]).toEqual([file, 0o400]);
  });
  it("is open to the group where the config file is", async () => {
    const { root, store } = await newRepository();
    chmodSync(join(root, "config"), 0o440);
    rmSync(join(root, "index"), { recursive: true });
    await store.save(index, bytes, never);
    expect(modeOf(join(root, "index", index.name))).toBe(0o440);
    expect(modeOf(join(root, "index"))).toBe(0o770 & ~process.umask());
  });
  it("says where it is by the absolute path", () => {
    expect(new LocalStore("some/where").location).toBe(join(process.cwd(), "some/where"));
  });
  it("is made with all folders above it", async () => {
    const root = join(newRoot(), "deep", "er");
    await new LocalStore(root).create(never);
    expect(readdirSync(join(root, "data"))).toHaveLength(256);
  });
  it("is filled in where a copy left out empty folders", async () => {
    const { root, store } = await newRepository();
    rmSync(join(root, "data"), { recursive: true });
    rmdirSync(join(root, "backstay"));
    expect(await store.load(config, undefined, never)).toEqual(bytes);
    expect(await Array.fromAsync(store.list("data", never))).toEqual([]);
    const own: Handle = { type: "backstay", name: "status.json" };
    await Promise.all([store.save(pack, bytes, never), store.save(own, bytes, never)]);
    expect(await store.load(pack, undefined, never)).toEqual(bytes);
    expect(await store.load(own, undefined, never)).toEqual(bytes);
    expect(modeOf(join(root, "data", "ab"))).toBe(0o700);
  });
});

describe("what does not belong in the folders of LocalStore", () => {
  it("is not listed and not touched", async () => {
    const { root, store } = await newRepository();
    await store.save(pack, bytes, never);
    await store.save(index, bytes, never);
    const strays = [
      "README",
      "data/stray",
      `data/${"ef".repeat(32)}`,
      `data/ab/${"cd".repeat(32)}`,
      `data/ab/${"AB".repeat(32)}`,
      `data/ab/${pack.name}-tmp-123456`,
      `data/ab/${pack.name}.part`,
      "data/ab/.nfs0000001",
      "data/ab/backup~",
      "index/x",
      `index/${"ab".repeat(31)}`,
    ];
    for (const stray of strays) writeFileSync(join(root, stray), "stray");
    for (const folder of ["lost+found", "tmp", "data/zz", `data/ab/${"ab11".repeat(16)}`])
      mkdirSync(join(root, folder));
    writeFileSync(join(root, "data", "zz", "zz".repeat(32)), "stray");
    expect(await Array.fromAsync(store.list("data", never))).toEqual([
      { name: pack.name, size: 3 },
    ]);
    expect(await Array.fromAsync(store.list("index", never))).toEqual([
      { name: index.name, size: 3 },
    ]);
    const later = new LocalStore(root, { now: () => Date.now() + 1e12 });
    expect(await later.sweep(never)).toBe(0);
    for (const stray of strays) expect(readFileSync(join(root, stray), "utf8")).toBe("stray");
  });
  it("may be a file in place of a folder", async () => {
    const { root, store } = await newRepository();
    rmSync(join(root, "data", "ab"), { recursive: true });
    writeFileSync(join(root, "data", "ab"), "");
    rmSync(join(root, "locks"), { recursive: true });
    writeFileSync(join(root, "locks"), "");
    expect(await Array.fromAsync(store.list("data", never))).toEqual([]);
    expect(await Array.fromAsync(store.list("locks", never))).toEqual([]);
    expect(await store.stat(pack, never)).toBeUndefined();
    await store.remove(pack, never);
    await expect(store.save(pack, bytes, never)).rejects.toMatchObject({ code: "STORE_DENIED" });
  });
  it("may be a folder or a fifo under the name of a file, and never holds a call", async () => {
    const { root, store } = await newRepository();
    const path = join(root, "data", "ab", pack.name);
    for (const make of [
      () => mkdirSync(path),
      () => execFileSync("mkfifo", [path]),
      () => symlinkSync("/dev/zero", path),
      () => symlinkSync("nothing", path),
      () => symlinkSync(pack.name, path),
    ]) {
      make();
      expect(await store.stat(pack, never)).toBeUndefined();
      expect(await Array.fromAsync(store.list("data", never))).toEqual([]);
      const absent = { code: "STORE_NOT_FOUND" };
      await expect(store.load(pack, undefined, never)).rejects.toMatchObject(absent);
      const taken = { code: "STORE_EXISTS" };
      await expect(store.save(pack, bytes, never)).rejects.toMatchObject(taken);
      rmSync(path, { recursive: true });
    }
  });
  it("follows links to files, as restic does", async () => {
    const { root, store } = await newRepository();
    const elsewhere = join(root, "elsewhere");
    writeFileSync(elsewhere, bytes);
    symlinkSync(elsewhere, join(root, "data", "ab", pack.name));
    expect(await store.load(pack, undefined, never)).toEqual(bytes);
    expect(await Array.fromAsync(store.list("data", never))).toEqual([
      { name: pack.name, size: 3 },
    ]);
  });
});

describe("a place of LocalStore that is not there", () => {
  it("holds nothing and takes nothing, and is not made by a save", async () => {
    const root = newRoot();
    const store = new LocalStore(root);
    expect(await store.stat(config, never)).toBeUndefined();
    for (const type of fileTypes)
      expect(await Array.fromAsync(store.list(type, never))).toEqual([]);
    for (const handle of [config, pack, index])
      await expect(store.save(handle, bytes, never)).rejects.toMatchObject({
        code: "STORE_MISSING",
      });
    expect(await store.sweep(never)).toBe(0);
    expect(existsSync(root)).toBe(false);
  });
  it("takes no files in an empty folder, such as a disk leaves that is not mounted", async () => {
    const root = newRoot();
    mkdirSync(root);
    for (const handle of [pack, index])
      await expect(new LocalStore(root).save(handle, bytes, never)).rejects.toMatchObject({
        code: "STORE_MISSING",
      });
    expect(readdirSync(root)).toEqual([]);
  });
  it("is an error, not an empty store, if it was there before", async () => {
    const { root, store } = await newRepository();
    await store.save(pack, bytes, never);
    expect(await store.stat(config, never)).toBe(3);
    renameSync(root, `${root}-away`);
    mkdirSync(root);
    const missing = { code: "STORE_MISSING" };
    for (const type of ["data", "snapshots"] as const)
      await expect(Array.fromAsync(store.list(type, never))).rejects.toMatchObject(missing);
    await expect(store.load(pack, undefined, never)).rejects.toMatchObject(missing);
    await expect(store.stat(pack, never)).rejects.toMatchObject(missing);
    await expect(store.remove(pack, never)).rejects.toMatchObject(missing);
    await expect(store.save(pack, bytes, never)).rejects.toMatchObject(missing);
    expect(readdirSync(root)).toEqual([]);
    rmdirSync(root);
    renameSync(`${root}-away`, root);
    expect(await store.load(pack, undefined, never)).toEqual(bytes);
  });
  it("may lose its config on purpose", async () => {
    const { store } = await newRepository();
    await store.remove(config, never);
    expect(await Array.fromAsync(store.list("data", never))).toEqual([]);
  });
});

describe("the sweep of LocalStore", () => {
  it("removes temporary files of a day ago, wherever saves make them", async () => {
    const { root, store } = await newRepository();
    await store.save(pack, bytes, never);
    const name = (i: number): string => `backstay_tmp_${i.toString(16).padStart(24, "0")}`;
    const folders = ["", "data/00", "data/ab", "data/ff", "index", "keys", "snapshots", "locks"];
    const hourMs = 3_600_000;
    for (const [i, folder] of folders.entries())
      for (const [age, ageMs] of [23 * hourMs, 25 * hourMs].entries()) {
        const path = join(root, folder, name(2 * i + age));
        writeFileSync(path, "partial");
        const then = (Date.now() - ageMs) / 1000;
        utimesSync(path, then, then);
      }
    expect(await Array.fromAsync(store.list("keys", never))).toEqual([]);
    expect(await store.sweep(never)).toBe(folders.length);
    for (const [i, folder] of folders.entries()) {
      expect(existsSync(join(root, folder, name(2 * i)))).toBe(true);
      expect(existsSync(join(root, folder, name(2 * i + 1)))).toBe(false);
    }
    expect(await store.sweep(never)).toBe(0);
    expect(await store.load(pack, undefined, never)).toEqual(bytes);
  });
});

describe("LocalStore and its descriptors", () => {
  const openCount = (): number => readdirSync("/proc/self/fd").length;
  it("leaves none open, whatever ends a call", async (context) => {
    if (!existsSync("/proc/self/fd")) return context.skip("no /proc/self/fd on this system");
    const { store } = await newRepository();
    const small = Array.from({ length: 20 }, (_, i) => ({
      type: "index" as const,
      name: i.toString(16).padStart(64, "0"),
    }));
    for (const handle of small) await store.save(handle, bytes, never);
    const before = openCount();
    for (const handle of small) {
      await store.save(handle, bytes, never);
      await store.save(handle, Uint8Array.of(9), never).catch(() => undefined);
      await store.load(handle, { offset: 0, length: 99 }, never).catch(() => undefined);
      await store.load(handle, undefined, never);
      await store.save({ ...handle, type: "data" }, bytes, AbortSignal.timeout(0)).catch(() => 0);
      for await (const _ of store.list("index", never)) break;
      for await (const _ of store.list("data", never)) break;
    }
    expect(openCount()).toBe(before);
  });
});

describe("LocalStore without rights", () => {
  it("says so, and that trying again won't help", async (context) => {
    const { seteuid, geteuid } = process;
    if (seteuid === undefined || geteuid === undefined)
      return context.skip("this system has no users to switch to");
    const { root, store } = await newRepository();
    await store.save(pack, bytes, never);
    chmodSync(join(root, "index"), 0o500);
    const user = geteuid();
    // Root may do everything, so it becomes somebody else for a moment.
    if (user === 0) seteuid(65534);
    try {
      const denied = { code: "STORE_DENIED", kind: "permanent" };
      await expect(store.save(index, bytes, never)).rejects.toMatchObject(denied);
      if (user !== 0) return;
      await expect(store.load(pack, undefined, never)).rejects.toMatchObject(denied);
      await expect(store.stat(pack, never)).rejects.toMatchObject(denied);
      await expect(Array.fromAsync(store.list("data", never))).rejects.toMatchObject(denied);
      await expect(store.remove(pack, never)).rejects.toMatchObject(denied);
      await expect(new LocalStore(join(root, "x")).create(never)).rejects.toMatchObject(denied);
    } finally {
      if (user === 0) seteuid(0);
      chmodSync(join(root, "index"), 0o700);
    }
  });
});
