import { describe, expect, it } from "vitest";
import { FakeClock } from "../../platform/fake/fake-clock.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { FaultyStore, type ScriptedFault } from "../fault/faulty-store.ts";
import { seededRandom } from "../fault/seeded-random.ts";
import { MemoryStore } from "../memory/memory-store.ts";
import type { Handle } from "../object-store.ts";
import { describeStoreContract } from "../store-contract.ts";
import { type RetryEvent, type RetryOptions, RetryStore } from "./retry-store.ts";

const never = new AbortController().signal;
const handle: Handle = { type: "data", name: "ab".repeat(32) };
const data = Uint8Array.of(1, 2, 3, 4);

function retrying(options: Partial<RetryOptions>, ...faults: ScriptedFault[]) {
  const clock = new FakeClock();
  const events: RetryEvent[] = [];
  const memory = new MemoryStore();
  const faulty = new FaultyStore(memory, ...faults);
  const onRetry = (event: RetryEvent): void => void events.push(event);
  const store = new RetryStore(faulty, { clock, random: () => 0.5, onRetry, ...options });
  return { clock, events, memory, faulty, store };
}

describeStoreContract("RetryStore", async () => retrying({}).store);
describeStoreContract("RetryStore over a store that fails one call in three", async () => {
  const random = seededRandom(7);
  const faults = (["before", "after"] as const).map((fault) => ({
    fault,
    probability: 1 / 6,
    random,
  }));
  // What passes through is not tried again.
  const whole = Object.assign(new MemoryStore(), { streamed: undefined });
  const flaky = new FaultyStore(whole, ...faults);
  return new RetryStore(flaky, { clock: new FakeClock(), random: seededRandom(8) });
});

describe("RetryStore", () => {
  it("waits longer after each failure, up to a limit, and tells of each", async () => {
    const { store, clock, events, faulty } = retrying(
      {},
      { fault: "before", failAt: 1, times: 10, methods: ["save"] },
    );
    await store.save(handle, data, never);
    faulty.assertConsumed();
    expect(clock.sleeps).toEqual([250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    expect(events.map((event) => event.attempts)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(events[0]).toMatchObject({ what: `save data/ab/${handle.name}`, delayMs: 250 });
    expect(await store.load(handle, undefined, never)).toEqual(data);
  });
  it("spreads its waits over the whole width", async () => {
    const draws = [0, 0.999, 0.25];
    const { store, clock } = retrying(
      { random: () => draws.shift() ?? 0 },
      { fault: "before", failAt: 1, times: 3 },
    );
    await store.stat(handle, never);
    expect(clock.sleeps).toEqual([0, 999, 500]);
  });
  it("gives up when the budget is spent, with the last error and how often it tried", async () => {
    const { store, clock } = retrying({}, { fault: "before", failAt: 1, times: Infinity });
    const failure: unknown = await store.load(handle, undefined, never).catch((error) => error);
    expect(failure).toBeInstanceOf(BackstayError);
    expect(failure).toMatchObject({ code: "STORE_UNAVAILABLE" });
    const { attempts, spentMs } = (failure as BackstayError).context;
    expect(attempts).toBe(clock.sleeps.length + 1);
    expect(spentMs).toBe(clock.monotonic());
    expect(clock.monotonic()).toBeGreaterThan(14 * 60_000);
    expect(clock.monotonic()).toBeLessThanOrEqual(15 * 60_000);
    expect((failure as BackstayError).cause).toBeInstanceOf(BackstayError);
  });
  it("tries again however long the first attempt took", async () => {
    const clock = new FakeClock();
    class SlowStore extends MemoryStore {
      override async stat(): Promise<number> {
        if (clock.monotonic() > 0) return 5;
        clock.advance(60 * 60_000);
        throw new BackstayError("STORE_UNAVAILABLE");
      }
    }
    const store = new RetryStore(new SlowStore(), { clock, random: () => 0.5 });
    expect(await store.stat(handle, never)).toBe(5);
  });
  it("does not try again what will not pass", async () => {
    for (const code of ["STORE_DENIED", "STORE_FULL", "STORE_NOT_FOUND", "INTERNAL"] as const) {
      const { store, clock, faulty } = retrying({}, { fault: "before", failAt: 1, code });
      await expect(store.save(handle, data, never)).rejects.toMatchObject({ code });
      expect(clock.sleeps).toEqual([]);
      expect(faulty.calls).toBe(1);
    }
  });
  it("does not try again what is no error of the catalogue", async () => {
    const strange = new TypeError("strange");
    class StrangeStore extends MemoryStore {
      override async stat(): Promise<number> {
        throw strange;
      }
    }
    const clock = new FakeClock();
    const store = new RetryStore(new StrangeStore(), { clock, random: () => 0.5 });
    await expect(store.stat(handle, never)).rejects.toBe(strange);
    expect(clock.sleeps).toEqual([]);
  });
  it("counts a save as done whose answer was lost", async () => {
    const { store, memory, faulty } = retrying({}, { fault: "after", failAt: 1 });
    await store.save(handle, data, never);
    faulty.assertConsumed();
    expect(await memory.load(handle, undefined, never)).toEqual(data);
  });
  it("does not hide that a lost answer left other content behind", async () => {
    const { store, faulty } = retrying({}, { fault: "torn", failAt: 1 });
    await expect(store.save(handle, data, never)).rejects.toMatchObject({ code: "STORE_EXISTS" });
    faulty.assertConsumed();
  });
  it("counts a removal as done whose answer was lost", async () => {
    const { store, memory } = retrying({}, { fault: "after", failAt: 1, methods: ["remove"] });
    await memory.save(handle, data, never);
    await store.remove(handle, never);
    expect(await memory.stat(handle, never)).toBeUndefined();
  });
  it("goes on with a list that broke in the middle, each file once", async () => {
    const { store, memory, faulty } = retrying({}, { fault: "torn", failAt: 1, times: 3 });
    const names = Array.from({ length: 10 }, (_, i) => `${i}`.repeat(64));
    for (const name of names) await memory.save({ type: "index", name }, data, never);
    const files = await Array.fromAsync(store.list("index", never));
    expect(faulty.struck).toBe(3);
    expect(files.map((file) => file.name).sort()).toEqual(names);
  });
  it("obeys a server that says when to come back, up to five minutes", async () => {
    const asked = [7000, 86_400_000, -1, Number.NaN];
    class BusyStore extends MemoryStore {
      override async stat(): Promise<undefined> {
        const retryAfterMs = asked.shift();
        if (retryAfterMs === undefined) return undefined;
        throw new BackstayError("STORE_UNAVAILABLE", { retryAfterMs });
      }
    }
    const clock = new FakeClock();
    const store = new RetryStore(new BusyStore(), { clock, random: () => 0 });
    await store.stat(handle, never);
    expect(clock.sleeps).toEqual([7000, 300_000, 0, 0]);
  });
  it("announces no further attempt when it is aborted while one fails", async () => {
    const controller = new AbortController();
    const reason = new Error("the reason");
    class AbortedStore extends MemoryStore {
      override async stat(): Promise<undefined> {
        controller.abort(reason);
        throw new BackstayError("STORE_UNAVAILABLE");
      }
    }
    const events: RetryEvent[] = [];
    const store = new RetryStore(new AbortedStore(), {
      clock: new FakeClock(),
      random: () => 0.5,
      onRetry: (event) => events.push(event),
    });
    await expect(store.stat(handle, controller.signal)).rejects.toBe(reason);
    expect(events).toEqual([]);
  });
  it("stops at once when it is aborted while it waits", async () => {
    const controller = new AbortController();
    const reason = new Error("the reason");
    const { store, faulty, clock } = retrying(
      { onRetry: () => queueMicrotask(() => controller.abort(reason)) },
      { fault: "before", failAt: 1, times: Infinity },
    );
    await expect(store.save(handle, data, controller.signal)).rejects.toBe(reason);
    expect(faulty.calls).toBe(1);
    expect(clock.monotonic()).toBe(0);
  });
});
