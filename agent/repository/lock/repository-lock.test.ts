/** Taking, refreshing, losing and releasing the lock, also over hours and with storage that fails. */
import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { processIdentity } from "../../../platform/process-identity.ts";
import { FaultyStore } from "../../../storage/fault/faulty-store.ts";
import { MemoryStore } from "../../../storage/memory/memory-store.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import { craftedSealer, hashOf, hexOf } from "../../../test/repository/crafted-packs.ts";
import { encodeUnpacked } from "../unpacked-file.ts";
import { encodeLock } from "./lock-file.ts";
import { listLocks, removeLocks } from "./lock-list.ts";
import { RepositoryLock } from "./repository-lock.ts";

const { signal } = new AbortController();
const sealer = craftedSealer();
const minuteMs = 60_000;
const accessTo = (store: ObjectStore) => ({ store, sealer, version: 2 as const });
const shared = { exclusive: false, waitMs: 0, signal };
const exclusive = { exclusive: true, waitMs: 0, signal };
let store: MemoryStore;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
  store = new MemoryStore();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Waits for `promise` while time passes. */
async function during<T>(promise: Promise<T>, stepMs = 50): Promise<T> {
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  promise.then(settle, settle);
  while (!isSettled) await vi.advanceTimersByTimeAsync(stepMs);
  return await promise;
}

const acquire = (options: typeof shared, on: ObjectStore = store) =>
  during(RepositoryLock.acquire(accessTo(on), options));

async function lockNames(on: ObjectStore = store): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of on.list("locks", signal)) names.push(name);
  return names;
}

/** A lock of somebody else. */
async function putLock(change: Record<string, unknown> = {}): Promise<string> {
  const identity = { ...processIdentity(), pid: process.ppid };
  const json = {
    ...(JSON.parse(Buffer.from(encodeLock(identity, false, Date.now())).toString()) as object),
    ...change,
  };
  const stored = encodeUnpacked(sealer, new TextEncoder().encode(JSON.stringify(json)), 2);
  const name = hexOf(hashOf(stored));
  await store.save({ type: "locks", name }, stored, signal);
  return name;
}

/** The id of a process that has just ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ["--version"]).pid;
}

describe("taking the lock", () => {
  it("writes one lock file, and removes it at the end", async () => {
    for (const options of [shared, exclusive]) {
      const lock = await acquire(options);
      const [{ lock: file }] = await listLocks(accessTo(store), signal);
      expect(file).toMatchObject({ exclusive: options.exclusive, pid: process.pid });
      await lock.assertHeld(signal);
      await lock.release();
      expect(await lockNames()).toEqual([]);
    }
  });

  it("lets shared locks stand together, and an exclusive one alone", async () => {
    const first = await acquire(shared);
    const second = await acquire(shared);
    await expect(acquire(exclusive)).rejects.toMatchObject({
      code: "REPOSITORY_LOCKED",
      exitCode: 11,
    });
    await first.release();
    await second.release();
    const alone = await acquire(exclusive);
    await expect(acquire(shared)).rejects.toMatchObject({
      code: "REPOSITORY_LOCKED",
      context: { pid: process.pid, kind: "exclusive" },
    });
    await expect(acquire(exclusive)).rejects.toMatchObject({ code: "REPOSITORY_LOCKED" });
    expect(await lockNames()).toHaveLength(1);
    await alone.release();
  });

  it("never lets two exclusive ones pass that begin at the same time", async () => {
    const outcomes = await during(
      Promise.allSettled([1, 2, 3].map(() => RepositoryLock.acquire(accessTo(store), exclusive))),
    );
    const taken = outcomes.filter(({ status }) => status === "fulfilled");
    expect(taken.length).toBeLessThanOrEqual(1);
    expect(await lockNames()).toHaveLength(taken.length);
    for (const outcome of outcomes)
      if (outcome.status === "fulfilled") await outcome.value.release();
    const waiting = await during(
      Promise.allSettled(
        [1, 2].map(async () => {
          const options = { ...exclusive, waitMs: 30 * minuteMs };
          const lock = await RepositoryLock.acquire(accessTo(store), options);
          await lock.release();
        }),
      ),
    );
    expect(waiting.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
  });

  it("notices another session that began in the same moment", async () => {
    const lock = await during(RepositoryLock.begin(accessTo(store), shared));
    await putLock({ exclusive: true });
    await expect(during(lock.confirm(signal))).rejects.toMatchObject({ code: "REPOSITORY_LOCKED" });
    expect(await lockNames()).toHaveLength(1);
  });

  it("waits for others as long as it may, and can be aborted", async () => {
    const first = await acquire(exclusive);
    const waiting = RepositoryLock.acquire(accessTo(store), { ...shared, waitMs: 2 * minuteMs });
    await vi.advanceTimersByTimeAsync(minuteMs);
    await first.release();
    const second = await during(waiting, 1000);
    await second.release();
    await putLock({ exclusive: true });
    const startMs = Date.now();
    const inVain = RepositoryLock.acquire(accessTo(store), { ...shared, waitMs: 2 * minuteMs });
    await expect(during(inVain, 1000)).rejects.toMatchObject({ code: "REPOSITORY_LOCKED" });
    expect(Date.now() - startMs).toBeLessThan(2 * minuteMs + 3000);
    const aborting = new AbortController();
    const options = { exclusive: false, waitMs: 60 * minuteMs, signal: aborting.signal };
    const aborted = RepositoryLock.acquire(accessTo(store), options);
    await vi.advanceTimersByTimeAsync(10_000);
    aborting.abort();
    await expect(during(aborted)).rejects.toMatchObject({ name: "AbortError" });
    expect(await lockNames()).toHaveLength(1);
  });

  it("leaves no lock behind when aborted while it settles", async () => {
    const aborting = new AbortController();
    const taking = RepositoryLock.acquire(accessTo(store), { ...shared, signal: aborting.signal });
    await vi.advanceTimersByTimeAsync(100);
    expect(await lockNames()).toHaveLength(1);
    aborting.abort();
    await expect(during(taking)).rejects.toMatchObject({ name: "AbortError" });
    expect(await lockNames()).toEqual([]);
  });

  it("removes locks of dead processes of this machine, and of no others", async () => {
    const { machine } = processIdentity();
    await putLock({ pid: deadPid(), exclusive: true });
    const gone = acquire(shared);
    if (machine === "") await expect(gone).rejects.toMatchObject({ code: "REPOSITORY_LOCKED" });
    else await (await gone).release();
    for (const name of await lockNames()) await store.remove({ type: "locks", name }, signal);
    for (const change of [
      { pid: deadPid(), hostname: "other" },
      { pid: deadPid(), machine: "other" },
      { pid: deadPid(), machine: undefined },
      { pid: deadPid(), pid_space: "other" },
      { time: "2020-01-01T00:00:00Z" },
      { time: "2020-01-01T00:00:00Z", machine: undefined, pid: deadPid() },
    ]) {
      const name = await putLock({ ...change, exclusive: true });
      await expect(acquire(shared), JSON.stringify(change)).rejects.toMatchObject({
        code: "REPOSITORY_LOCKED",
      });
      expect(await lockNames()).toEqual([name]);
      await store.remove({ type: "locks", name }, signal);
    }
  });

  it("is blocked by a lock that nobody can read, but not by an empty file", async () => {
    const handle = { type: "locks", name: "ab".repeat(32) } as const;
    await store.save(handle, new Uint8Array(0), signal);
    await (await acquire(exclusive)).release();
    for (const content of [new Uint8Array(10), new Uint8Array(500), new Uint8Array(1_000_000)]) {
      await store.remove(handle, signal);
      await store.save(handle, content, signal);
      await expect(acquire(shared)).rejects.toMatchObject({
        code: "REPOSITORY_LOCKED",
        context: { holder: "unreadable" },
      });
    }
  });

  it("leaves no lock behind whichever call fails, or one that the next session understands", async () => {
    for (const fault of ["before", "after"] as const)
      for (let failAt = 1; ; failAt += 1) {
        const inner = new MemoryStore();
        const faulty = new FaultyStore(inner, { fault, failAt });
        const taking = await acquire(exclusive, faulty).catch((error: unknown) => error);
        if (taking instanceof RepositoryLock) await taking.release();
        else expect(taking).toMatchObject({ code: "STORE_UNAVAILABLE" });
        if (faulty.struck === 0) break;
        const left = await lockNames(inner);
        // Only if the removal itself was what failed.
        if (left.length > 0)
          expect([fault, taking instanceof RepositoryLock]).toEqual(["before", true]);
        for (const { lock } of await listLocks(accessTo(inner), signal))
          expect(lock?.pid).toBe(process.pid);
      }
  });
});

describe("holding the lock", () => {
  it("replaces its file every five minutes and never lets go meanwhile", async () => {
    const lock = await acquire(shared);
    let names = await lockNames();
    const remove = store.remove.bind(store);
    store.remove = async (handle, given) => {
      expect(await lockNames()).toHaveLength(2);
      await remove(handle, given);
    };
    for (let i = 0; i < 5; i += 1) {
      await vi.advanceTimersByTimeAsync(5 * minuteMs);
      const now = await lockNames();
      expect(now).toHaveLength(1);
      expect(now).not.toEqual(names);
      const [{ lock: file }] = await listLocks(accessTo(store), signal);
      expect(Date.now() - (file?.timeMs ?? 0)).toBeLessThan(1000);
      names = now;
    }
    store.remove = remove;
    await lock.assertHeld(signal);
    await lock.release();
    await vi.advanceTimersByTimeAsync(60 * minuteMs);
    expect(await lockNames()).toEqual([]);
  });

  it("is lost when somebody removed the file, and stays lost", async () => {
    const lock = await acquire(shared);
    for (const name of await lockNames()) await store.remove({ type: "locks", name }, signal);
    await expect(lock.assertHeld(signal)).rejects.toMatchObject({ code: "LOCK_LOST" });
    expect(lock.lost.aborted).toBe(true);
    await vi.advanceTimersByTimeAsync(60 * minuteMs);
    await expect(lock.assertHeld(signal)).rejects.toMatchObject({ code: "LOCK_LOST" });
    expect(await lockNames()).toEqual([]);
    await lock.release();
  });

  it("tells at the next refresh that it is lost, without being asked", async () => {
    const lock = await acquire(exclusive);
    expect(lock.lost.aborted).toBe(false);
    for (const name of await lockNames()) await store.remove({ type: "locks", name }, signal);
    await vi.advanceTimersByTimeAsync(5 * minuteMs);
    expect(lock.lost.reason).toMatchObject({ code: "LOCK_LOST" });
    await lock.release();
  });

  it("is lost if the file vanished while the machine slept in the middle of a refresh", async () => {
    const lock = await acquire(shared);
    const [old] = await lockNames();
    const save = store.save.bind(store);
    store.save = async (handle, data, given) => {
      await store.remove({ type: "locks", name: old }, signal);
      await save(handle, data, given);
    };
    await vi.advanceTimersByTimeAsync(5 * minuteMs);
    await expect(lock.assertHeld(signal)).rejects.toMatchObject({ code: "LOCK_LOST" });
    await lock.release();
    expect(await lockNames()).toEqual([]);
  });

  it("is held after standby if its file is still there, and refreshed before anything is written", async () => {
    const lock = await acquire(shared);
    const [old] = await lockNames();
    // The wall clock alone goes on in standby.
    vi.setSystemTime(Date.now() + 8 * 60 * minuteMs);
    await lock.assertHeld(signal);
    const [renewed] = await lockNames();
    expect(renewed).not.toBe(old);
    // A clock that is set back is no reason to believe less or more.
    vi.setSystemTime(Date.now() - 24 * 60 * minuteMs);
    await lock.assertHeld(signal);
    await lock.release();
  });

  it("outlives a store that is out of reach for a while, and tries again soon", async () => {
    const lock = await acquire(shared);
    const stat = store.stat.bind(store);
    let isDown = true;
    store.stat = async (handle, given) => {
      if (isDown) throw new Error("down");
      return await stat(handle, given);
    };
    await vi.advanceTimersByTimeAsync(20 * minuteMs);
    await expect(lock.assertHeld(signal)).rejects.toThrow("down");
    isDown = false;
    const [old] = await lockNames();
    await vi.advanceTimersByTimeAsync(minuteMs);
    expect(await lockNames()).not.toEqual([old]);
    await lock.assertHeld(signal);
    await lock.release();
    expect(await lockNames()).toEqual([]);
  });

  it("removes in the end every file that it wrote, whichever call of a refresh failed", async () => {
    for (const fault of ["before", "after"] as const) {
      let struck = 0;
      for (let failAt = 1; ; failAt += 1) {
        const inner = new MemoryStore();
        // Taking the lock needs four calls: list, save, list, load.
        const faulty = new FaultyStore(inner, { fault, failAt: 4 + failAt });
        const lock = await acquire(shared, faulty);
        expect(faulty.calls).toBe(4);
        await vi.advanceTimersByTimeAsync(5 * minuteMs);
        if (faulty.struck === 0) {
          await lock.release();
          break;
        }
        struck += 1;
        await lock.assertHeld(signal);
        if (failAt % 2 === 0) await vi.advanceTimersByTimeAsync(2 * minuteMs);
        await lock.assertHeld(signal);
        await lock.release();
        expect(await lockNames(inner), `${fault} ${failAt}`).toEqual([]);
      }
      expect(struck).toBe(4);
    }
  });

  it("can be asked and released at once while a refresh hangs", async () => {
    const lock = await acquire(shared);
    store.save = (_handle, _data, given) =>
      new Promise((_, reject) => {
        given.addEventListener("abort", () => reject(given.reason as Error));
      });
    await vi.advanceTimersByTimeAsync(5 * minuteMs);
    const aborting = new AbortController();
    const asking = lock.assertHeld(aborting.signal);
    aborting.abort();
    await expect(asking).rejects.toMatchObject({ name: "AbortError" });
    await lock.release();
    expect(await lockNames()).toEqual([]);
  });
});

describe("unlocking", () => {
  it("removes stale locks, or all of them", async () => {
    const stale = [
      await putLock({ time: new Date(Date.now() - 31 * minuteMs).toISOString() }),
      await putLock({ pid: deadPid() }),
      await putLock({ pid: deadPid(), machine: undefined }),
    ];
    const live = [
      await putLock(),
      await putLock({ hostname: "other", pid: deadPid(), machine: undefined }),
    ];
    await store.save({ type: "locks", name: "ab".repeat(32) }, new Uint8Array(99), signal);
    expect(await removeLocks(accessTo(store), "stale", signal)).toEqual({
      removed: stale.length,
      left: 3,
    });
    expect((await lockNames()).sort()).toEqual([...live, "ab".repeat(32)].sort());
    expect(await removeLocks(accessTo(store), "all", signal)).toEqual({ removed: 3, left: 0 });
    expect(await lockNames()).toEqual([]);
  });
});
