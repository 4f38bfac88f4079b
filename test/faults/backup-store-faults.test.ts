/**
 * Backups on a store of which a call fails: every call of a first backup and of an incremental one that has lost its
 * cache, before or after its effect, once or for good. By default every sixth case, `BACKSTAY_FAULTS=all` plays all.
 */
import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { FaultyStore, type ScriptedFault } from "../../storage/fault/faulty-store.ts";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import type { FileType, Handle, ObjectStore } from "../../storage/object-store.ts";
import { BackupScene, type SceneBackup } from "../backup/backup-scene.ts";
import { noiseOf } from "../backup/noise.ts";
import { withSave } from "../backup/save-hook.ts";
import { differences } from "../backup/snapshot-compare.ts";
import { storedBlobs } from "../backup/stored-blobs.ts";
import { assertWhole } from "../backup/whole-repository.ts";

const never = new AbortController().signal;
const step = process.env["BACKSTAY_FAULTS"] === "all" ? 1 : 6;
/** Nothing may take longer, on the busiest machine. */
const hangMs = 60_000;

let scene: BackupScene;

afterEach(() => scene?.remove());

/** Two packs of data and one of trees. */
async function newScene(): Promise<void> {
  scene = await BackupScene.create();
  scene.write("large", noiseOf(18 * 1024 * 1024, 1));
  for (let i = 0; i < 20; i += 1) scene.write(`d${i % 3}/f${i}`, `content ${i}`);
}

async function copyOf(store: ObjectStore): Promise<MemoryStore> {
  const copy = new MemoryStore();
  const types: FileType[] = ["config", "keys", "data", "index", "snapshots", "locks"];
  for (const type of types) {
    const names = type === "config" ? [""] : [];
    for await (const { name } of store.list(type, never)) names.push(name);
    for (const name of names) {
      const handle: Handle = { type, name };
      await copy.save(handle, await store.load(handle, undefined, never), never);
    }
  }
  return copy;
}

function forgetCache(): void {
  rmSync(scene.cacheRoot, { recursive: true, force: true });
}

async function within<T>(work: Promise<T>, story: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${story}: it hangs`)), hangMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Plays one fault on a copy of `ground`; false if the backup makes fewer calls. */
async function play(ground: ObjectStore, fault: ScriptedFault, known: number): Promise<boolean> {
  const story = JSON.stringify(fault);
  const store = await copyOf(ground);
  const faulty = new FaultyStore(store, fault);
  forgetCache();
  const outcome = await within(
    scene.backup({ store: faulty }).catch((error: unknown) => error),
    story,
  );
  if (faulty.struck === 0) return false;
  const facts = await assertWhole(await scene.open(store, true));
  if (outcome instanceof Error) {
    // The words of the store, and never a snapshot that is not whole; one whose answer was lost may be there.
    expect(isBackstayError(outcome), `${story}: ${outcome.stack ?? ""}`).toBe(true);
    expect(outcome, story).toMatchObject({ code: fault.code ?? "STORE_UNAVAILABLE" });
    expect(facts.snapshots.length - known, story).toBeLessThanOrEqual(
      fault.fault === "after" ? 1 : 0,
    );
  } else {
    expect(facts.snapshots, story).toContain((outcome as SceneBackup).snapshot);
  }
  // The very last call is the one that takes the lock away.
  const keepsLock = fault.times !== undefined || faulty.calls === fault.failAt;
  expect(facts.locks, story).toBeLessThanOrEqual(keepsLock ? 1 : 0);
  const arrived = (await storedBlobs(await scene.open(store, true))).counts;
  const next = await within(scene.backup({ store }), story);
  const repository = await scene.open(store, true);
  const after = await assertWhole(repository, { readsData: true });
  expect(after.snapshots, story).toContain(next.snapshot);
  expect(after.orphans, story).toBe(0);
  expect(await differences(repository, next.snapshot, scene.source), story).toEqual([]);
  // What had arrived was not stored again, and not read again once all of it had.
  const stored = (await storedBlobs(repository)).counts;
  expect(Math.max(...stored.values()), story).toBe(1);
  const data = [...stored.keys()].filter((blob) => blob.startsWith("data"));
  if (data.every((blob) => arrived.has(blob))) expect(next.bytesRead, story).toBe(0);
  return true;
}

describe("a store of which one call fails", { timeout: 1_800_000 }, () => {
  it.each(["before", "after"] as const)(
    "(%s its effect) ends a first backup clearly",
    async (fault) => {
      await newScene();
      let played = 0;
      for (let failAt = fault === "before" ? 1 : 3; ; failAt += step) {
        if (!(await play(scene.store, { fault, failAt }, 0))) break;
        played += 1;
      }
      expect(played * step).toBeGreaterThan(10);
    },
  );

  it("ends an incremental backup clearly, or costs it nothing but time", async () => {
    await newScene();
    await scene.backup();
    scene.write("d1/f1", "changed");
    let played = 0;
    for (let failAt = 2; ; failAt += step) {
      if (!(await play(scene.store, { fault: "before", failAt }, 1))) break;
      played += 1;
    }
    expect(played * step).toBeGreaterThan(10);
  });

  it("and that for good, with an error that lasts", async () => {
    await newScene();
    const codes = ["STORE_FULL", "STORE_DENIED", "STORE_BROKEN", "STORE_UNAVAILABLE"] as const;
    for (const [i, code] of codes.entries())
      for (let failAt = 1 + i; ; failAt += 4 * step) {
        const times = Number.POSITIVE_INFINITY;
        if (!(await play(scene.store, { fault: "before", failAt, times, code }, 0))) break;
      }
  });
});

describe("a store that does not answer", { timeout: 120_000 }, () => {
  it("keeps no backup from ending when it is told to", async () => {
    await newScene();
    const store = scene.store;
    const controller = new AbortController();
    const hanging = withSave(store, async (handle, data, signal) => {
      if (handle.type !== "data") return await store.save(handle, data, signal);
      setTimeout(() => controller.abort(), 100);
      return await new Promise<void>((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      });
    });
    const work = scene.backup({ store: hanging, signal: controller.signal });
    await expect(within(work, "hanging store")).rejects.toMatchObject({ name: "AbortError" });
    const facts = await assertWhole(await scene.open(store, true));
    expect(facts).toMatchObject({ snapshots: [], locks: 0, packs: 0 });
  });
});

describe("a lock that is lost", { timeout: 120_000 }, () => {
  /** Removes all locks when the n-th file of a type is about to be saved. */
  function losing(type: FileType, store: ObjectStore): ObjectStore {
    return withSave(store, async (handle, data, signal) => {
      if (handle.type === type)
        for await (const { name } of store.list("locks", signal))
          await store.remove({ type: "locks", name }, signal);
      await store.save(handle, data, signal);
    });
  }

  it.each([
    ["while packs are stored: neither index nor snapshot is written", "data", 0],
    ["after the index: no snapshot is written", "index", 1],
  ] as const)("%s", async (_what, type, indexes) => {
    await newScene();
    const work = scene.backup({ store: losing(type, scene.store) });
    await expect(work).rejects.toMatchObject({ code: "LOCK_LOST" });
    const count = async (of: FileType): Promise<number> =>
      (await Array.fromAsync(scene.store.list(of, never))).length;
    expect(await count("index")).toBe(indexes);
    expect(await count("snapshots")).toBe(0);
    await scene.backup();
    expect((await assertWhole(await scene.open(scene.store, true))).orphans).toBe(0);
  });
});

describe("a backup that is stopped", { timeout: 300_000 }, () => {
  it("indexes what had arrived, takes its lock away, and is gone on with", async () => {
    await newScene();
    for (let i = 0; i < 60; i += 1) scene.write(`medium/f${i}`, noiseOf(500_000, i + 2));
    const ground = await copyOf(scene.store);
    let stopped = 0;
    for (let delayMs = 60; stopped < 3 && delayMs < 20_000; delayMs *= 2) {
      const store = await copyOf(ground);
      forgetCache();
      const controller = new AbortController();
      let timer: NodeJS.Timeout | undefined;
      const late = withSave(store, async (handle, data, signal) => {
        timer ??= setTimeout(() => controller.abort(), delayMs);
        await store.save(handle, data, signal);
      });
      const work = scene.backup({ store: late, signal: controller.signal });
      const outcome = await within(
        work.catch((error: unknown) => error),
        "stopped backup",
      );
      clearTimeout(timer);
      if (!(outcome instanceof Error)) continue;
      stopped += 1;
      expect(outcome.name).toBe("AbortError");
      const facts = await assertWhole(await scene.open(store, true));
      expect(facts).toMatchObject({ snapshots: [], locks: 0, orphans: 0 });
      const before = await storedBlobs(await scene.open(store, true));
      const next = await within(scene.backup({ store }), "next backup");
      const repository = await scene.open(store, true);
      await assertWhole(repository);
      const after = await storedBlobs(repository);
      expect(Math.max(...after.counts.values())).toBe(1);
      expect(next.bytesStored).toBeLessThanOrEqual(after.packBytes - before.packBytes + 100_000);
    }
    expect(stopped).toBeGreaterThan(0);
    expect(readdirSync(path.join(scene.cacheRoot)).length).toBeGreaterThan(0);
  });
});
