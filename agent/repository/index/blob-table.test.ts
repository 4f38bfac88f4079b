/** The table of blobs against a map, over levels, against collisions on purpose, and with threads racing. */

import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ClaimingWork } from "../../../test/repository/claiming-worker.ts";
import { hexOf } from "../../../test/repository/crafted-packs.ts";
import { BlobTable } from "./blob-table.ts";

const at = (pack: number, offset = 0, length = 100, plainLength = 0) => ({
  pack,
  offset,
  length,
  plainLength,
});

function randomIds(count: number): Uint8Array {
  return randomFillSync(new Uint8Array(count * 32));
}

/** Few different ids, many of which begin or end alike. */
const anyId = fc
  .tuple(fc.nat({ max: 3 }), fc.nat({ max: 2 }), fc.nat({ max: 3 }))
  .map(([first, middle, last]) => {
    const id = new Uint8Array(32);
    id[0] = first;
    id[17] = middle;
    id[31] = last;
    return id;
  });
const anyU32 = fc.oneof(fc.nat({ max: 0xffffffff }), fc.constantFrom(0, 0x7fffffff, 0xffffffff));
const anyCommand = fc.record({
  kind: fc.constantFrom("add", "claim", "locate", "find"),
  id: anyId,
  isTree: fc.boolean(),
  location: fc.record({
    pack: fc.nat({ max: 40 }),
    offset: anyU32,
    length: anyU32,
    plainLength: anyU32,
  }),
});

describe("the blob table", () => {
  it("does as a map would, with trees and data apart", () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 120 }), (commands) => {
        const table = BlobTable.create(10);
        const attached = BlobTable.attach(table.shared);
        for (let i = 0; i <= 40; i += 1) table.addPack(new Uint8Array(32).fill(i));
        const model = new Map<string, (typeof commands)[0]["location"] | undefined>();
        for (const { kind, id, isTree, location } of commands) {
          const key = `${isTree}${hexOf(id)}`;
          const isNew = !model.has(key);
          const user = location.offset % 2 === 0 ? table : attached;
          if (kind === "claim") expect(user.claim(id, 0, isTree)).toBe(isNew);
          if (kind === "add") expect(user.add(id, 0, isTree, location)).toBe(isNew);
          if (kind === "locate") user.setLocation(id, 0, isTree, location);
          if (kind === "claim" && isNew) model.set(key, undefined);
          if (kind === "add" && isNew) model.set(key, location);
          if (kind === "locate") model.set(key, model.get(key) ?? location);
        }
        for (const [key, location] of model) {
          const id = new Uint8Array(Buffer.from(key.slice(-64), "hex"));
          const isTree = key.startsWith("true");
          const entry = attached.find(id, 0, isTree);
          expect(entry).toBeGreaterThanOrEqual(0);
          expect(attached.isTree(entry)).toBe(isTree);
          const copied = new Uint8Array(33);
          attached.copyId(entry, copied, 1);
          expect(hexOf(copied.subarray(1))).toBe(hexOf(id));
          expect(attached.packOf(entry)).toBe(location?.pack ?? -1);
          if (location === undefined) continue;
          const { pack, offset, length, plainLength } = location;
          expect(attached.packId(pack)).toBe(hexOf(new Uint8Array(32).fill(pack)));
          expect(attached.offsetOf(entry)).toBe(offset);
          expect(attached.storedLengthOf(entry)).toBe(length);
          expect(attached.isCompressed(entry)).toBe(plainLength !== 0);
          expect(attached.plainLengthOf(entry)).toBe(plainLength === 0 ? length - 32 : plainLength);
        }
        expect(table.count).toBe(model.size);
        expect([...table.entries()]).toHaveLength(model.size);
      }),
    );
  });

  it("does not find what was not added, nor data as a tree", () => {
    const table = BlobTable.create(10);
    const ids = randomIds(3);
    table.add(ids, 0, false, at(0));
    table.add(ids, 32, true, at(0));
    expect(table.find(ids, 0, true)).toBe(-1);
    expect(table.find(ids, 32, false)).toBe(-1);
    expect(table.find(ids, 64, false)).toBe(-1);
    expect(table.claim(ids, 0, true)).toBe(true);
  });

  it("grows over levels and finds everything, also from another thread's view", () => {
    const table = BlobTable.create(1);
    const early = BlobTable.attach(table.shared);
    const count = 130_000;
    const ids = randomIds(count);
    let worst = 0;
    for (let i = 0; i < count; i += 1) {
      if (!table.add(ids, i * 32, i % 3 === 0, at(i, i * 7, 33 + i, i % 5))) expect.fail(`id ${i}`);
      if (i >= 60_000) worst = Math.max(worst, table.usedBytes / (i + 1));
    }
    expect(table.count).toBe(count);
    expect(worst).toBeLessThanOrEqual(64);
    for (let i = 0; i < count; i += 1) {
      const entry = early.find(ids, i * 32, i % 3 === 0);
      if (early.packOf(entry) !== i || early.offsetOf(entry) !== i * 7) expect.fail(`id ${i}`);
    }
    const seen = new Set<number>();
    for (const entry of early.entries()) seen.add(early.packOf(entry));
    expect(seen.size).toBe(count);
  });

  it("takes at most 64 bytes a blob for a million of them, and reserves without taking", () => {
    for (const expected of [1_000_000, 1_300_000, 1_400_000]) {
      const table = BlobTable.create(expected);
      const slots = table.shared.levels[0].slots.byteLength;
      expect(slots / expected + 48, `${expected}`).toBeLessThanOrEqual(64);
      expect(table.shared.levels[0].entries.byteLength / 48).toBeGreaterThanOrEqual(expected);
    }
    // The largest repository that anybody may ask for.
    expect(BlobTable.create(1e9).shared.levels).toHaveLength(1);
  });

  it("stays quick if all ids but a few bytes are the same, wherever those are", () => {
    for (const varying of [0, 12, 20, 29]) {
      const table = BlobTable.create(60_000);
      const ids = new Uint8Array(60_000 * 32).fill(0xa5);
      const view = new DataView(ids.buffer);
      for (let i = 0; i < 60_000; i += 1) {
        view.setUint16(i * 32 + varying, i & 0xffff);
        view.setUint8(i * 32 + varying + 2, i >>> 16);
        table.add(ids, i * 32, false, at(0));
      }
      // With collisions these would be thousands of millions of comparisons.
      expect(table.count).toBe(60_000);
    }
  });

  it("chooses slots by another secret each time", () => {
    const seeds = [0, 1].map(() => hexOf(new Uint8Array(BlobTable.create(1).shared.control, 8, 8)));
    expect(seeds[0]).not.toBe(seeds[1]);
  });
});

describe("threads that claim the same blobs at the same time", () => {
  async function race(count: number, steps: readonly (readonly [number, number])[]) {
    const table = BlobTable.create(1);
    const ids = new SharedArrayBuffer(count * 32);
    randomFillSync(new Uint8Array(ids));
    const wins = new SharedArrayBuffer(count * 4);
    const gate = new SharedArrayBuffer(4);
    new Int32Array(gate)[0] = steps.length;
    const script = new URL("../../../test/repository/claiming-worker.ts", import.meta.url);
    const lost = await Promise.all(
      steps.map(async ([first, step]) => {
        const work: ClaimingWork = { table: table.shared, ids, wins, gate, first, step };
        const worker = new Worker(script, { workerData: work });
        const [missed] = (await once(worker, "message")) as [number];
        await worker.terminate();
        return missed;
      }),
    );
    return { table, ids: new Uint8Array(ids), wins: [...new Int32Array(wins)], lost };
  }

  it("have exactly one winner for each blob within a level", async () => {
    const count = 40_000;
    const steps = [
      [0, 1],
      [0, 1],
      [count - 1, count - 1],
    ] as const;
    const { table, ids, wins, lost } = await race(count, steps);
    expect(lost).toEqual([0, 0, 0]);
    expect(wins.filter((winners) => winners !== 1)).toEqual([]);
    expect([...table.entries()]).toHaveLength(count);
    for (let i = 0; i < count; i += 1) {
      if (table.packOf(table.find(ids, i * 32, i % 2 === 1)) !== -1) expect.fail(`blob ${i}`);
      table.setLocation(ids, i * 32, i % 2 === 1, at(i));
    }
    const located = new Set<number>();
    for (const entry of table.entries()) located.add(table.packOf(entry));
    expect(located.size).toBe(count);
  });

  it("lose no blob while levels fill up, and hardly ever store one twice", async () => {
    const count = 100_000;
    const { table, wins, lost } = await race(count, [
      [0, 1],
      [0, 1],
      [70_000, 7],
    ]);
    expect(lost).toEqual([0, 0, 0]);
    expect(wins.every((winners) => winners >= 1)).toBe(true);
    const stored = wins.reduce((sum, winners) => sum + winners, 0);
    expect(stored - count).toBeLessThan(10);
    expect([...table.entries()]).toHaveLength(stored);
  });
});
