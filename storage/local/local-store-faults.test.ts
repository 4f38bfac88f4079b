/** The write path of the local store with each of its outside calls failing in turn. */
import { createHash } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { FaultyFileCalls, type FileFault } from "../../platform/fake/faulty-file-calls.ts";
import { openLinuxFileCalls } from "../../platform/linux/linux-file-calls.ts";
import { allocateAligned } from "../../platform/node/aligned-memory.ts";
import type { ExtraFileCalls } from "../../platform/node/extra-file-calls.ts";
import { fileCalls } from "../../platform/node/file-calls.ts";
import { NodeDurableFiles } from "../../platform/node/node-durable-files.ts";
import type { DurabilityWarning } from "../../platform/ports/durable-files.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import type { Handle } from "../object-store.ts";
import { describeStoreContract } from "../store-contract.ts";
import { LocalStore } from "./local-store.ts";

const never = new AbortController().signal;
const base = newMemoryFolder("backstay-local-faults-");
afterAll(() => rmSync(base, { recursive: true, force: true }));
afterEach(() => {
  for (const root of readdirSync(base)) rmSync(join(base, root), { recursive: true });
});
let roots = 0;
const newRoot = (): string => {
  roots += 1;
  return join(base, `${roots}`);
};

const pack: Handle = { type: "data", name: "ab".repeat(32) };
const config: Handle = { type: "config", name: "" };
/** Aligned and large, so that Linux writes it past the cache, and with a tail. */
const content = allocateAligned(1024 * 1024 + 777).map((_, i) => (i * 7) ^ (i >> 8));
const aligned = allocateAligned(content.length);
aligned.set(content);

const noFault: FileFault = { code: "EIO", failAt: Number.POSITIVE_INFINITY };
const systems: readonly (readonly [string, ExtraFileCalls])[] = [
  ["with Node's calls", {}],
  ...(process.platform === "linux"
    ? ([["with Linux's calls", openLinuxFileCalls(fileCalls) ?? {}]] as const)
    : []),
];

function faultyStore(
  root: string,
  extra: ExtraFileCalls,
  fault: FileFault,
  warn: (warning: DurabilityWarning) => void = () => undefined,
) {
  const faulty = new FaultyFileCalls(fileCalls, extra, fault);
  const files = new NodeDurableFiles({ calls: faulty.calls, extra: faulty.extra, warn });
  return { faulty, store: new LocalStore(root, { files, calls: faulty.calls }) };
}

/** A repository whose folder for `pack` may be missing, as in a copy without its empty folders. */
async function newRepository(hasFolder: boolean): Promise<string> {
  const root = newRoot();
  const store = new LocalStore(root);
  await store.create(never);
  await store.save(config, Uint8Array.of(1), never);
  if (!hasFolder) rmSync(join(root, "data"), { recursive: true });
  return root;
}

function leftoversIn(root: string): string[] {
  const names = readdirSync(root, { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.includes("backstay_tmp_"));
}

/** What must hold after any failed save, seen with working calls. */
async function expectSound(root: string): Promise<void> {
  const store = new LocalStore(root);
  const size = await store.stat(pack, never);
  if (size !== undefined)
    expect(digest(await store.load(pack, undefined, never))).toBe(digest(content));
  const listed = await Array.fromAsync(store.list("data", never));
  expect(listed).toEqual(size === undefined ? [] : [{ name: pack.name, size: content.length }]);
  await store.save(pack, content, never);
  expect(digest(await store.load(pack, undefined, never))).toBe(digest(content));
}

const digest = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

const kinds: readonly (readonly [Omit<FileFault, "failAt">, string])[] = [
  [{ code: "EIO" }, "STORE_BROKEN"],
  [{ code: "ENOSPC" }, "STORE_FULL"],
  [{ code: "UNKNOWN", errno: -constants.errno.EDQUOT }, "STORE_FULL"],
  [{ code: "EROFS" }, "STORE_DENIED"],
  [{ code: "EMFILE" }, "STORE_UNAVAILABLE"],
];

for (const [system, extra] of systems)
  describe(`a save ${system} whose n-th outside call fails`, () => {
    for (const [kind, expected] of kinds)
      for (const moment of kind.code === "EIO"
        ? (["before", "after"] as const)
        : ["before" as const])
        it(`says ${expected} for ${kind.errno ?? kind.code} ${moment} the effect, and stores all or nothing`, async () => {
          const root = await newRepository(false);
          for (let failAt = 1; ; failAt += 1) {
            const { faulty, store } = faultyStore(root, extra, { ...kind, moment, failAt });
            const failure: unknown = await store.save(pack, aligned, never).catch((error) => error);
            if (faulty.struck === 0) {
              expect(failure).toBeUndefined();
              // Look, modes, open, write, chmod, fsync, close, name, fsync of the folder at the least.
              expect(failAt).toBeGreaterThan(12);
              return;
            }
            // Not every failure matters: a permission bit, or the removal of a temporary name.
            if (failure !== undefined) {
              expect(failure).toBeInstanceOf(BackstayError);
              expect([failAt, failure]).toMatchObject([failAt, { code: expected }]);
            }
            const isRemovalStruck = faulty.made.includes("unlink") && failure === undefined;
            if (!isRemovalStruck) expect([failAt, leftoversIn(root)]).toEqual([failAt, []]);
            await expectSound(root);
            rmSync(join(root, "data"), { recursive: true });
          }
        });
    it("leaves only what the sweep removes if temporary names can't be removed either", async () => {
      const root = await newRepository(true);
      for (const code of ["EIO", "ENOSPC"]) {
        const failing = new FaultyFileCalls(fileCalls, extra, { code, failAt: 1, calls: ["sync"] });
        const stuck = new FaultyFileCalls(failing.calls, failing.extra, {
          code: "EIO",
          failAt: 1,
          times: Number.POSITIVE_INFINITY,
          calls: ["unlink"],
        });
        const files = new NodeDurableFiles({ calls: stuck.calls, extra: stuck.extra });
        const store = new LocalStore(root, { files, calls: stuck.calls });
        await expect(store.save(pack, aligned, never)).rejects.toBeInstanceOf(BackstayError);
        expect(failing.struck).toBe(1);
      }
      const leftovers = leftoversIn(root).length;
      expect(leftovers).toBe("openUnnamed" in extra ? 0 : 2);
      const soon = new LocalStore(root, { now: () => Date.now() + 23 * 3_600_000 });
      expect(await soon.sweep(never)).toBe(0);
      const later = new LocalStore(root, { now: () => Date.now() + 25 * 3_600_000 });
      expect(await later.sweep(never)).toBe(leftovers);
      expect(leftoversIn(root)).toEqual([]);
      await expectSound(root);
    });
    it("condemns a file whose fsync failed, and writes a new one next time", async () => {
      const root = await newRepository(true);
      const fault: FileFault = { code: "EIO", failAt: 1, calls: ["sync"] };
      const { store, faulty } = faultyStore(root, extra, fault);
      await expect(store.save(pack, aligned, never)).rejects.toMatchObject({
        code: "STORE_BROKEN",
        context: { system: "EIO" },
      });
      expect(readdirSync(join(root, "data", "ab"))).toEqual([]);
      const writes = faulty.made.filter((name) => name === "write").length;
      await store.save(pack, aligned, never);
      expect(faulty.made.filter((name) => name === "write").length).toBe(2 * writes);
      await expectSound(root);
    });
    it("warns once, and goes on, where there is no fsync", async () => {
      const root = await newRepository(true);
      const warnings: DurabilityWarning[] = [];
      for (const code of ["ENOTSUP", "EINVAL"]) {
        warnings.length = 0;
        const fault = { code, failAt: 1, times: Number.POSITIVE_INFINITY, calls: ["sync"] };
        const { store } = faultyStore(root, extra, fault, (warning) => warnings.push(warning));
        await store.save(pack, aligned, never);
        await store.save({ type: "index", name: pack.name }, content, never);
        expect(warnings).toEqual(["sync-unsupported"]);
        await store.remove(pack, never);
        await store.remove({ type: "index", name: pack.name }, never);
      }
    });
    it("makes durable what it finds there already", async () => {
      const root = await newRepository(true);
      const { store, faulty } = faultyStore(root, extra, noFault);
      await store.save(pack, aligned, never);
      faulty.made.length = 0;
      await store.save(pack, aligned, never);
      // The file that a dead process may have left, and its name.
      expect(faulty.made.filter((name) => name === "sync")).toHaveLength(2);
      expect(faulty.made).not.toContain("write");
    });
    it("does not mind a file system without permission bits", async () => {
      const root = await newRepository(true);
      for (const code of ["EPERM", "ENOTSUP"]) {
        const { store, faulty } = faultyStore(root, extra, { code, failAt: 1, calls: ["chmod"] });
        await store.save(pack, aligned, never);
        expect(faulty.struck).toBe(1);
        await store.remove(pack, never);
      }
    });
    it("writes on where the system takes few bytes at a time", async () => {
      const root = await newRepository(true);
      const short = new Proxy(fileCalls, {
        get: (target, name) =>
          name === "open"
            ? async (...values: Parameters<typeof target.open>) =>
                shortWrites(await target.open(...values))
            : Reflect.get(target, name),
      });
      const linux = "openUnnamed" in extra ? openLinuxFileCalls(short) : undefined;
      const files = new NodeDurableFiles({ calls: short, extra: linux ?? {} });
      await new LocalStore(root, { files }).save(pack, aligned, never);
      await expectSound(root);
    });
    it("fails, not loops, where the system takes no bytes", async () => {
      const root = await newRepository(true);
      const empty = new Proxy(fileCalls, {
        get: (target, name) =>
          name === "open"
            ? async (...values: Parameters<typeof target.open>) =>
                Object.assign(await target.open(...values), {
                  write: async () => ({ bytesWritten: 0 }),
                })
            : Reflect.get(target, name),
      });
      const files = new NodeDurableFiles({ calls: empty });
      const saving = new LocalStore(root, { files }).save(pack, aligned, never);
      await expect(saving).rejects.toMatchObject({ code: "STORE_BROKEN" });
      await expectSound(root);
    });
  });

/** Takes at most 100,000 bytes a call: no multiple of a page. */
function shortWrites<T extends { write: unknown }>(file: T): T {
  const write = (file.write as (...values: unknown[]) => Promise<unknown>).bind(file);
  return Object.assign(file, {
    write: (data: Uint8Array, offset: number, length: number, position: number) =>
      write(data, offset, Math.min(length, 100_000), position),
  });
}

describe("a file system that refuses writes past the cache", () => {
  it("gets plain ones", async () => {
    for (const refusal of ["switch", "write"] as const) {
      const root = await newRepository(true);
      let isUnbuffered = false;
      let refused = 0;
      const calls = new Proxy(fileCalls, {
        get: (target, name) =>
          name === "open"
            ? async (...values: Parameters<typeof target.open>) => {
                const file = await target.open(...values);
                const write = file.write.bind(file) as (...args: unknown[]) => Promise<unknown>;
                return Object.assign(file, {
                  write: async (...args: unknown[]) => {
                    if (!isUnbuffered) return await write(...args);
                    refused += 1;
                    throw Object.assign(new Error("refused"), { code: "EINVAL" });
                  },
                });
              }
            : Reflect.get(target, name),
      });
      const setUnbuffered = (_: unknown, wanted: boolean): boolean => {
        if (refusal === "switch" && wanted) refused += 1;
        isUnbuffered = refusal === "write" && wanted;
        return refusal === "write";
      };
      const files = new NodeDurableFiles({ calls, extra: { setUnbuffered } });
      await new LocalStore(root, { files }).save(pack, aligned, never);
      expect(refused).toBe(1);
      await expectSound(root);
    }
  });
});

describe("a file system without hard links", () => {
  const noLinks: FileFault = {
    code: "EPERM",
    failAt: 1,
    times: Number.POSITIVE_INFINITY,
    calls: ["link"],
  };
  describeStoreContract(
    "LocalStore without hard links",
    async () => faultyStore(newRoot(), {}, noLinks).store,
  );
  it("is noticed, and said", async () => {
    const root = await newRepository(true);
    const { store } = faultyStore(root, {}, noLinks);
    expect(store.capabilities.atomicCreate).toBe(true);
    await store.save(pack, content, never);
    expect(store.capabilities.atomicCreate).toBe(false);
    expect(leftoversIn(root)).toEqual([]);
  });
  const renameToFree = openLinuxFileCalls(fileCalls)?.renameToFree;
  it("is as good where renaming can refuse", async (context) => {
    if (renameToFree === undefined) return context.skip("needs Linux's renameat2");
    const root = await newRepository(true);
    const extra = { renameToFree };
    const { store, faulty } = faultyStore(root, extra, noLinks);
    await store.save(pack, content, never);
    await Promise.all(
      [1, 2, 3].map((i) => store.save({ type: "index", name: `${i}`.repeat(64) }, content, never)),
    );
    expect(faulty.made).toContain("renameToFree");
    expect(store.capabilities.atomicCreate).toBe(true);
    expect(leftoversIn(root)).toEqual([]);
    await expectSound(root);
  });
});

describe("a system whose unnamed files can't be named", () => {
  it("gets temporary names instead", async (context) => {
    if (process.platform !== "linux") return context.skip("only Linux has unnamed files");
    const root = await newRepository(true);
    const extra = openLinuxFileCalls(fileCalls) ?? {};
    // As without /proc.
    const fault: FileFault = { code: "ENOENT", failAt: 1, calls: ["linkUnnamed"] };
    const { store, faulty } = faultyStore(root, extra, fault);
    await store.save(pack, aligned, never);
    await store.save({ type: "index", name: pack.name }, content, never);
    expect(faulty.made.filter((name) => name === "openUnnamed")).toHaveLength(1);
    expect(faulty.made.filter((name) => name === "link")).toHaveLength(2);
    await expectSound(root);
  });
});

describe("loads, lists and removals that fail", () => {
  it("say what the system said, each in the catalogue's words", async () => {
    // With one folder below `data`: each would be a call to fail.
    const root = await newRepository(false);
    await new LocalStore(root).save(pack, content, never);
    for (const [kind, code] of kinds)
      for (let failAt = 1; ; failAt += 1) {
        const { store, faulty } = faultyStore(root, {}, { ...kind, failAt });
        const failure: unknown = await (async () => {
          await store.stat(pack, never);
          await store.load(pack, { offset: 5, length: 10 }, never);
          await Array.fromAsync(store.list("data", never));
          await store.remove({ type: "index", name: pack.name }, never);
        })().catch((error) => error);
        if (faulty.struck === 0) {
          expect(failAt).toBeGreaterThan(8);
          break;
        }
        expect([failAt, failure]).toMatchObject([failAt, { code }]);
      }
  });
  it("count every call when none fails", async () => {
    const { store, faulty } = faultyStore(await newRepository(true), {}, noFault);
    await store.save(pack, content, never);
    expect(faulty.struck).toBe(0);
    expect(faulty.made.length).toBeGreaterThan(10);
  });
});
