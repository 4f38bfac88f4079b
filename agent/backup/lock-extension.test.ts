/** Restore points are locked with all that they need, and what they share is extended once in a generation. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Immutability } from "../../protocol/immutability.ts";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import {
  fileTypes,
  type Handle,
  handlePath,
  type ObjectStore,
  type RetentionLocks,
} from "../../storage/object-store.ts";
import { BackupScene, scenePassword } from "../../test/backup/backup-scene.ts";
import { Repository } from "../repository/repository.ts";
import {
  endOfLocks,
  generationAt,
  ruleOfObjects,
} from "../repository/retention/lock-generation.ts";
import { lockedSnapshots } from "../repository/retention/lock-record.ts";
import type { BackupWarning } from "./backup-request.ts";

const never = new AbortController().signal;
const dayMs = 86_400_000;
const monthly: Immutability = { mode: "compliance", days: 30 };

/** Locks what is saved, as object storages do. */
class LockingStore extends MemoryStore implements ObjectStore {
  rule: Immutability | undefined;
  readonly untilMs = new Map<string, number>();
  /** Paths, in the order in which they were extended. */
  extended: string[] = [];
  failure: Error | undefined;
  readonly retentionLocks: RetentionLocks = {
    lockedUntil: async (handle) => this.untilMs.get(handlePath(handle)),
    extend: async (handle, untilMs) => {
      if (this.failure !== undefined) throw this.failure;
      const file = handlePath(handle);
      if ((await this.stat(handle, never)) === undefined)
        throw new BackstayError("STORE_NOT_FOUND", { file });
      this.extended.push(file);
      this.untilMs.set(file, Math.max(untilMs, this.untilMs.get(file) ?? 0));
    },
  };

  override async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    await super.save(handle, data, signal);
    const rule = this.rule && ruleOfObjects(this.rule);
    if (rule !== undefined && handle.type !== "locks")
      this.untilMs.set(handlePath(handle), Date.now() + rule.days * dayMs);
  }

  async paths(): Promise<string[]> {
    const found = ["config"];
    for (const type of fileTypes)
      for await (const { name } of this.list(type, never)) found.push(handlePath({ type, name }));
    return found.filter((path) => !path.startsWith("locks/"));
  }
}

let scene: BackupScene;
let store: LockingStore;
let warnings: BackupWarning[];
let nowMs: number;

beforeEach(async () => {
  // The second day of a generation.
  nowMs = (2_100 * 10 + 1) * dayMs;
  vi.spyOn(Date, "now").mockImplementation(() => nowMs);
  scene = await BackupScene.create();
  store = new LockingStore();
  warnings = [];
  const scrypt = { N: 16, r: 1, p: 1 };
  const password = new TextEncoder().encode(scenePassword);
  await Repository.init(store, { password, signal: never, scrypt });
});

afterEach(() => {
  vi.restoreAllMocks();
  scene.remove();
});

async function backup(
  immutability: Immutability | undefined = monthly,
): Promise<{ id: string; untilMs: number | undefined }> {
  store.rule = immutability;
  store.extended = [];
  warnings = [];
  const events = { warning: (warning: BackupWarning) => void warnings.push(warning) };
  const { snapshot, lockedUntilMs } = await scene.backup({ store, immutability, events });
  return { id: snapshot, untilMs: lockedUntilMs };
}

async function shown(): Promise<Map<string, number>> {
  return await lockedSnapshots(await scene.open(store), nowMs, never);
}

/** Fails unless everything in the repository is locked for so long. */
async function expectLocked(untilMs: number): Promise<void> {
  const short = (await store.paths()).filter((path) => (store.untilMs.get(path) ?? 0) < untilMs);
  expect(short).toEqual([]);
}

it("extends what restore points share once in ten days, and what they bring not at all", async () => {
  scene.write("a", "first");
  const first = await backup();
  expect(first.untilMs).toBe(endOfLocks(generationAt(nowMs, monthly)));
  expect(first.untilMs).toBeGreaterThanOrEqual(nowMs + 30 * dayMs);
  // Made without locks.
  expect(
    store.extended.filter((path) => path === "config" || path.startsWith("keys/")),
  ).toHaveLength(2);
  await expectLocked(first.untilMs ?? Number.NaN);

  nowMs += 3 * dayMs;
  scene.write("b", "second");
  const second = await backup();
  expect(store.extended).toEqual([]);
  expect(second.untilMs).toBe(first.untilMs);

  nowMs += 8 * dayMs;
  const before = await store.paths();
  scene.write("c", "third");
  const third = await backup();
  expect(third.untilMs).toBe((first.untilMs ?? 0) + 10 * dayMs);
  const shared = before.filter((path) => !/^(?:snapshots|backstay)\//.test(path));
  expect(store.extended.toSorted()).toEqual(shared.toSorted());
  expect(await shown()).toEqual(
    new Map([
      [first.id, first.untilMs],
      [second.id, first.untilMs],
      [third.id, third.untilMs],
    ]),
  );
  nowMs = first.untilMs ?? 0;
  expect([...(await shown()).keys()]).toEqual([third.id]);
  expect(warnings).toEqual([]);
});

it("extends what others have added without locks, and for fewer days", async () => {
  scene.write("a", "first");
  const { untilMs = 0 } = await backup();
  scene.write("b", "second");
  const other = await backup({ mode: "governance", days: 1 });
  expect(other.untilMs).toBe(untilMs - 29 * dayMs);
  scene.write("c", "third");
  store.rule = undefined;
  await scene.backup({ store });
  scene.write("d", "fourth");
  await backup();
  // Both index files, with their packs of files and of folders; nothing that was extended before.
  expect(store.extended.filter((path) => path.startsWith("index/"))).toHaveLength(2);
  expect(store.extended.filter((path) => path.startsWith("data/"))).toHaveLength(4);
  expect(store.extended).toHaveLength(6);
  expect(warnings).toEqual([]);
});

it("warns if it can't extend, keeps the restore point, and begins again the next time", async () => {
  scene.write("a", "first");
  store.failure = new BackstayError("STORE_DENIED", { problem: "no" });
  const first = await backup();
  expect(first.untilMs).toBeUndefined();
  expect(warnings).toMatchObject([{ code: "LOCKS_SHORT", item: `snapshots/${first.id}` }]);
  expect((await shown()).size).toBe(0);
  store.failure = undefined;
  scene.write("b", "second");
  const second = await backup();
  expect(warnings).toEqual([]);
  await expectLocked(second.untilMs ?? Number.NaN);
});

it("believes no storage that takes the snapshot and does not lock it", async () => {
  scene.write("a", "first");
  vi.spyOn(store.retentionLocks, "lockedUntil").mockResolvedValue(undefined);
  expect((await backup()).untilMs).toBeUndefined();
  expect(warnings).toMatchObject([{ code: "LOCKS_SHORT" }]);
});

it("believes only records that are sealed, of this name, and of this place", async () => {
  scene.write("a", "first");
  await backup();
  const repository = await scene.open(store);
  const [record] = (await store.paths()).filter((path) => path.startsWith("backstay/"));
  const name = record.slice("backstay/".length);
  const stored = await store.load({ type: "backstay", name }, undefined, never);
  const renamed = name.replace(/\.1$/, ".2");
  await store.save({ type: "backstay", name: renamed }, stored, never);
  await store.save(
    { type: "backstay", name: name.replace(/\.1$/, ".3") },
    new TextEncoder().encode('{"name":"x"}'),
    never,
  );
  expect((await lockedSnapshots(repository, nowMs, never)).size).toBe(1);
  Object.assign(store, { location: "elsewhere" });
  expect((await lockedSnapshots(repository, nowMs, never)).size).toBe(0);
  scene.write("b", "second");
  await backup();
  expect(store.extended.length).toBeGreaterThan(3);
  expect(
    await store.stat({ type: "backstay", name: name.replace(/\.1$/, ".4") }, never),
  ).toBeGreaterThan(0);
});

it("tells of objects that the index names and that are gone", async () => {
  scene.write("a", "first");
  await backup();
  nowMs += 10 * dayMs;
  const [pack] = (await store.paths()).filter((path) => path.startsWith("data/"));
  await store.remove({ type: "data", name: pack.slice(-64) }, never);
  scene.write("b", "second");
  const { untilMs } = await backup();
  expect(untilMs).toBeUndefined();
  expect(warnings).toMatchObject([
    { code: "LOCKS_SHORT", message: expect.stringContaining("not there: 1") },
  ]);
});
