import { describe, expect, it } from "vitest";
import { MemoryStore } from "../memory/memory-store.ts";
import type { Handle } from "../object-store.ts";
import { describeStoreContract } from "../store-contract.ts";
import { FaultyStore, type StoreFault } from "./faulty-store.ts";
import { seededRandom } from "./seeded-random.ts";

const never = new AbortController().signal;
const handleOf = (i: number): Handle => ({ type: "data", name: i.toString(16).padStart(64, "0") });
const data = Uint8Array.of(1, 2, 3, 4);

describeStoreContract(
  "FaultyStore without a fault",
  async () => new FaultyStore(new MemoryStore(), { fault: "before", failAt: 1_000_000 }),
);

async function saveStruck(fault: StoreFault): Promise<MemoryStore> {
  const memory = new MemoryStore();
  const store = new FaultyStore(memory, { fault, failAt: 1 });
  await expect(store.save(handleOf(1), data, never)).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    context: { injected: fault, method: "save", call: 1 },
  });
  store.assertConsumed();
  return memory;
}

describe("FaultyStore", () => {
  it("fails before, after or in the middle of the effect", async () => {
    expect(await (await saveStruck("before")).stat(handleOf(1), never)).toBeUndefined();
    expect(await (await saveStruck("after")).stat(handleOf(1), never)).toBe(4);
    expect(await (await saveStruck("torn")).load(handleOf(1), undefined, never)).toEqual(
      Uint8Array.of(1, 2),
    );
  });
  it("strikes the n-th call that counts, as often as it is told", async () => {
    const store = new FaultyStore(new MemoryStore(), {
      fault: "before",
      failAt: 2,
      times: 2,
      methods: ["save"],
      types: ["data"],
      code: "STORE_FULL",
    });
    const outcomes: boolean[] = [];
    for (let i = 0; i < 5; i += 1) {
      await store.save({ type: "index", name: handleOf(i).name }, data, never);
      await store.stat(handleOf(i), never);
      const saving = store.save(handleOf(i), data, never);
      outcomes.push(
        await saving.then(
          () => true,
          (error: unknown) => {
            expect(error).toMatchObject({ code: "STORE_FULL" });
            return false;
          },
        ),
      );
    }
    expect(outcomes).toEqual([true, false, false, true, true]);
    expect(store.struck).toBe(2);
    expect(store.calls).toBe(15);
  });
  it("says when a script was never played", async () => {
    const store = new FaultyStore(new MemoryStore(), { fault: "before", failAt: 3 });
    await store.stat(handleOf(1), never);
    expect(() => store.assertConsumed()).toThrow("the fault at call 3 never struck: 1 calls");
  });
  it("flips one bit of what is loaded, and of nothing stored", async () => {
    const memory = new MemoryStore();
    const store = new FaultyStore(memory, { fault: "flipped", failAt: 1 });
    await store.save(handleOf(1), data, never);
    const loaded = await store.load(handleOf(1), undefined, never);
    const changed = loaded.reduce((bits, byte, i) => bits + popCount(byte ^ data[i]), 0);
    expect(changed).toBe(1);
    expect(await store.load(handleOf(1), undefined, never)).toEqual(data);
  });
  it("gives half of a list, or all of it, and then fails", async () => {
    for (const [fault, count] of [
      ["before", 0],
      ["torn", 2],
      ["after", 4],
    ] as const) {
      const memory = new MemoryStore();
      for (let i = 0; i < 4; i += 1) await memory.save(handleOf(i), data, never);
      const store = new FaultyStore(memory, { fault, failAt: 1 });
      let seen = 0;
      const listing = (async () => {
        for await (const _ of store.list("data", never)) seen += 1;
      })();
      await expect(listing).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect(seen).toBe(count);
    }
  });
  it("repeats a random run by its seed, and strikes about as often as it is told", async () => {
    const play = async (seed: number): Promise<string> => {
      const store = new FaultyStore(new MemoryStore(), {
        fault: "before",
        probability: 0.2,
        random: seededRandom(seed),
      });
      let story = "";
      for (let i = 0; i < 1000; i += 1)
        story += await store.stat(handleOf(i), never).then(
          () => ".",
          () => "x",
        );
      return story;
    };
    const first = await play(1);
    expect(await play(1)).toBe(first);
    expect(await play(2)).not.toBe(first);
    const struck = first.replaceAll(".", "").length;
    expect(struck).toBeGreaterThan(150);
    expect(struck).toBeLessThan(250);
  });
});

describe("seededRandom", () => {
  it("stays in [0, 1) and is spread evenly", () => {
    const random = seededRandom(42);
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i += 1) {
      const value = random();
      expect(value >= 0 && value < 1).toBe(true);
      tenths[Math.floor(value * 10)] += 1;
    }
    for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});

function popCount(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
