import { describe, expect, it } from "vitest";
import { FakeClock } from "../../platform/fake/fake-clock.ts";
import { FaultyStore } from "../fault/faulty-store.ts";
import { MemoryStore } from "../memory/memory-store.ts";
import type { Handle } from "../object-store.ts";
import { describeStoreContract } from "../store-contract.ts";
import { type StoreCall, TracedStore } from "./traced-store.ts";

const never = new AbortController().signal;
const pack: Handle = { type: "data", name: "ab".repeat(32) };
const index: Handle = { type: "index", name: "cd".repeat(32) };

describeStoreContract(
  "TracedStore",
  async () => new TracedStore(new MemoryStore(), new FakeClock()),
);

describe("TracedStore", () => {
  it("counts calls, and bytes of each type in each direction", async () => {
    const store = new TracedStore(new MemoryStore(), new FakeClock());
    await store.create(never);
    await store.save(pack, new Uint8Array(1000), never);
    await store.save(index, new Uint8Array(10), never);
    await store.load(pack, { offset: 5, length: 100 }, never);
    await store.load(pack, undefined, never);
    await store.stat(pack, never);
    await Array.fromAsync(store.list("data", never));
    await store.remove(pack, never);
    await store.sweep(never);
    expect(store.traffic).toMatchObject({
      calls: { create: 1, save: 2, load: 2, list: 1, stat: 1, remove: 1, sweep: 1 },
      failures: 0,
      bytesUp: { data: 1000, index: 10, snapshots: 0 },
      bytesDown: { data: 1100, index: 0 },
    });
  });
  it("gives sums that stay as they were", async () => {
    const store = new TracedStore(new MemoryStore(), new FakeClock());
    const before = store.traffic;
    await store.save(pack, new Uint8Array(1000), never);
    expect(before.calls.save).toBe(0);
    expect(before.bytesUp.data).toBe(0);
  });
  it("tells of each call when it has ended, with what went wrong", async () => {
    const clock = new FakeClock();
    const calls: StoreCall[] = [];
    const faulty = new FaultyStore(new MemoryStore(), { fault: "after", failAt: 1 });
    const store = new TracedStore(faulty, clock, (call) => calls.push(call));
    await store.save(pack, new Uint8Array(7), never).catch(() => undefined);
    await store.load(pack, undefined, never);
    expect(calls).toMatchObject([
      { method: "save", bytes: 7, error: { code: "STORE_UNAVAILABLE" } },
      { method: "load", file: `data/ab/${pack.name}`, bytes: 7, error: undefined },
    ]);
    expect(store.traffic).toMatchObject({ failures: 1, bytesUp: { data: 0 } });
  });
  it("measures how long a call took", async () => {
    const clock = new FakeClock();
    const calls: StoreCall[] = [];
    class SlowStore extends MemoryStore {
      override async stat(): Promise<undefined> {
        await clock.sleep(1234, never);
      }
    }
    const store = new TracedStore(new SlowStore(), clock, (call) => calls.push(call));
    await store.stat(pack, never);
    expect(calls).toMatchObject([{ method: "stat", durationMs: 1234 }]);
  });
  it("tells of a list once, whether it ends, fails or is left", async () => {
    const calls: StoreCall[] = [];
    const faulty = new FaultyStore(new MemoryStore(), {
      fault: "torn",
      failAt: 3,
      methods: ["list"],
    });
    const store = new TracedStore(faulty, new FakeClock(), (call) => calls.push(call));
    await store.save(pack, new Uint8Array(7), never);
    calls.length = 0;
    await Array.fromAsync(store.list("data", never));
    for await (const _ of store.list("data", never)) break;
    await Array.fromAsync(store.list("data", never)).catch(() => undefined);
    faulty.assertConsumed();
    expect(calls.map(({ method, error }) => [method, error === undefined])).toEqual([
      ["list", true],
      ["list", true],
      ["list", false],
    ]);
    expect(store.traffic.calls.list).toBe(3);
  });
});
