import { describe, expect, it } from "vitest";
import { FakeClock } from "../../platform/fake/fake-clock.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { MemoryStore } from "../memory/memory-store.ts";
import type { Handle } from "../object-store.ts";
import { describeStoreContract } from "../store-contract.ts";
import { LimitedStore, type LimitOptions } from "./limited-store.ts";

const never = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const handleOf = (i: number, type: Handle["type"] = "data"): Handle => ({
  type,
  name: i.toString(16).padStart(64, "0"),
});

function limited(options: Partial<LimitOptions>, inner = new MemoryStore()) {
  const clock = new FakeClock();
  return { clock, inner, store: new LimitedStore(inner, { clock, ...options }) };
}

/** Knows how many calls run at once, and ends them only when told. */
class SlowStore extends MemoryStore {
  running = 0;
  most = 0;
  #waiting: (() => void)[] = [];

  override async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.running -= 1;
    await super.save(handle, data, signal);
  }

  finishOne(): void {
    this.#waiting.shift()?.();
  }
}

describeStoreContract("LimitedStore", async () => limited({}).store);
describeStoreContract(
  "LimitedStore with one connection and tight limits",
  async () =>
    limited({
      connections: 1,
      inFlightBytesMax: 1000,
      uploadBytesPerSecond: 100_000,
      downloadBytesPerSecond: 100_000,
    }).store,
);

/** Refuses what comes while it has as many requests as it bears. */
class BusyStore extends MemoryStore {
  running = 0;
  refused = 0;
  most = 0;
  bears = 2;

  override async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    if (this.running >= this.bears) {
      this.refused += 1;
      await turn();
      throw new BackstayError("STORE_UNAVAILABLE", { status: 503 });
    }
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    await turn();
    this.running -= 1;
    await super.save(handle, data, signal);
  }
}

describe("LimitedStore over a storage that gets too many requests", () => {
  it("asks for fewer at once, and for more again when it may", async () => {
    const inner = new BusyStore();
    const { store } = limited({ connections: 8 }, inner);
    const all = async (from: number, count: number): Promise<number> => {
      const before = inner.refused;
      const saves = Array.from({ length: count }, (_, i) =>
        store.save(handleOf(from + i), new Uint8Array(10), never),
      );
      await Promise.allSettled(saves);
      return inner.refused - before;
    };
    // With eight at once all the time it would be about six for each two that pass.
    expect(await all(0, 200)).toBeLessThan(100);
    inner.bears = 8;
    await all(1000, 100);
    inner.most = 0;
    expect(await all(2000, 100)).toBe(0);
    expect(inner.most).toBe(8);
  });
});

describe("LimitedStore", () => {
  it("holds uploads to their rate", async () => {
    const { store, clock } = limited({ uploadBytesPerSecond: 1_000_000 });
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => store.save(handleOf(i), new Uint8Array(500_000), never)),
    );
    expect(clock.monotonic()).toBeGreaterThanOrEqual(8_000);
    expect(clock.monotonic()).toBeLessThanOrEqual(10_000);
  });
  it("holds downloads to their rate, of ranges and of whole files", async () => {
    for (const range of [undefined, { offset: 0, length: 500_000 }]) {
      const { store, clock, inner } = limited({ downloadBytesPerSecond: 1_000_000 });
      await inner.save(handleOf(0), new Uint8Array(500_000), never);
      for (let i = 0; i < 20; i += 1) await store.load(handleOf(0), range, never);
      expect(clock.monotonic()).toBeGreaterThanOrEqual(8_000);
      expect(clock.monotonic()).toBeLessThanOrEqual(10_000);
    }
  });
  it("lets the directions alone that have no limit", async () => {
    const { store, clock } = limited({ uploadBytesPerSecond: 1 });
    await store.load(handleOf(1), undefined, never).catch(() => undefined);
    expect(clock.sleeps).toEqual([]);
  });
  it("never makes a lock wait, but counts its bytes", async () => {
    const inner = new SlowStore();
    const { store, clock } = limited({ connections: 1, uploadBytesPerSecond: 1000 }, inner);
    const pack = store.save(handleOf(1), new Uint8Array(50_000), never);
    const lock = store.save(handleOf(2, "locks"), new Uint8Array(100), never);
    await turn();
    expect(inner.running).toBe(2);
    inner.finishOne();
    inner.finishOne();
    await Promise.all([pack, lock]);
    expect(clock.sleeps).toEqual([]);
    const next = store.save(handleOf(3), new Uint8Array(1), never);
    while (inner.running === 0) await turn();
    inner.finishOne();
    await next;
    // 50,100 bytes at 1,000 a second, of which the first second was saved up.
    expect(clock.sleeps).toEqual([49_100]);
  });
  it("runs as many requests at once as it may", async () => {
    const inner = new SlowStore();
    const { store } = limited({ connections: 3 }, inner);
    const saves = Array.from({ length: 10 }, (_, i) =>
      store.save(handleOf(i), Uint8Array.of(i), never),
    );
    for (let i = 0; i < 10; i += 1) {
      await turn();
      inner.finishOne();
    }
    await Promise.all(saves);
    expect(inner.most).toBe(3);
    expect(store.capabilities.connections).toBe(3);
  });
  it("runs as many bytes at once as it may", async () => {
    const inner = new SlowStore();
    const { store } = limited({ connections: 10, inFlightBytesMax: 250 }, inner);
    const saves = Array.from({ length: 6 }, (_, i) =>
      store.save(handleOf(i), new Uint8Array(100), never),
    );
    for (let i = 0; i < 6; i += 1) {
      await turn();
      inner.finishOne();
    }
    await Promise.all(saves);
    expect(inner.most).toBe(2);
  });
  it("gives its slot back after a failure", async () => {
    const { store } = limited({ connections: 1 });
    for (let i = 0; i < 5; i += 1)
      await expect(store.load(handleOf(i), undefined, never)).rejects.toMatchObject({
        code: "STORE_NOT_FOUND",
      });
  });
  it("stops waiting for its turn when it is aborted", async () => {
    const { store, clock, inner } = limited({ uploadBytesPerSecond: 1000 });
    await store.save(handleOf(1), new Uint8Array(50_000), never);
    const controller = new AbortController();
    const waiting = store.save(handleOf(2), new Uint8Array(1), controller.signal);
    await Promise.resolve();
    controller.abort(new Error("the reason"));
    await expect(waiting).rejects.toThrow("the reason");
    expect(clock.monotonic()).toBe(0);
    expect(await inner.stat(handleOf(2), never)).toBeUndefined();
  });
});
