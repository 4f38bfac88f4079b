import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openClock } from "../../platform/open-clock.ts";
import { TracedStore } from "../../storage/trace/traced-store.ts";
import { BackupScene } from "../../test/backup/backup-scene.ts";
import { noiseOf } from "../../test/backup/noise.ts";
import { backupEstimate, estimateLines, storagePrices } from "./backup-estimate.ts";

const prices = { put: 0.005, get: 0.0004, gbMonth: 0.023 };

describe("prices", () => {
  it("are read by name, in any order", () => {
    expect(storagePrices("put=0.005,get=0.0004,gb-month=0.023")).toEqual(prices);
    expect(storagePrices("gb-month=1, put=2")).toEqual({ put: 2, get: 0, gbMonth: 1 });
  });
  it.each(["", "put", "put=", "put=-1", "put=1,,", "euro=3", "put=1;get=2", "constructor=1"])(
    "are refused where they are none: %s",
    (text) => expect(() => storagePrices(text)).toThrow("put=0.005"),
  );
});

describe("an estimate", () => {
  it("never falls when more is stored, and costs nothing where nothing has a price", () => {
    const anyRun = fc.record({
      bytesStored: fc.nat(2 ** 40),
      dataBlobs: fc.nat(10_000_000),
      treeBlobs: fc.nat(1_000_000),
    });
    const anyShare = fc.integer({ min: 0, max: 100 });
    fc.assert(
      fc.property(anyRun, fc.nat(2 ** 30), anyShare, (run, more, share) => {
        const less = backupEstimate({ ...run, parentId: undefined }, prices, share);
        const larger = { ...run, bytesStored: run.bytesStored + more, parentId: undefined };
        const given = backupEstimate(larger, prices, share);
        expect(given.month.bytesKept).toBeGreaterThanOrEqual(less.month.bytesKept);
        expect(given.first?.price ?? 0).toBeGreaterThanOrEqual(less.first?.price ?? 0);
        const free = backupEstimate(larger, { put: 0, get: 0, gbMonth: 0 }, share);
        expect([free.first?.price, free.daily.price]).toEqual([0, 0]);
        expect([free.month.requestsPrice, free.month.keepingPrice]).toEqual([0, 0]);
      }),
    );
  });
  it("takes a dry run with a snapshot before it for one of the daily ones", () => {
    const run = { bytesStored: 5e9, dataBlobs: 5000, treeBlobs: 100, parentId: "ab" };
    const { first, daily, month } = backupEstimate(run, prices, 3);
    expect(first).toBeUndefined();
    expect(daily.requests.put).toBe(Math.ceil(5e9 / 2 ** 24) + 2 + 1 + 2);
    expect(month.bytesKept).toBe(30 * daily.bytesUp);
  });
  it("says what it comes to", () => {
    const run = { bytesStored: 100e9, dataBlobs: 100_000, treeBlobs: 0, parentId: undefined };
    expect(estimateLines(backupEstimate(run, prices, 1))).toEqual([
      "",
      "The first run:    about 5967 put, 3 get, 5 list, 3 head, 1 delete; 93.136 GiB sent; requests 0.03",
      "Each daily run:   about 65 put, 3 get, 5 list, 3 head, 1 delete; 953.717 MiB sent; requests 0.00035",
      "30 daily runs:    requests 0.01",
      "Kept after that:  121.077 GiB if nothing is removed; a month of it 2.99",
    ]);
  });
  it("is near to what a run then asks for", async () => {
    const scene = await BackupScene.create();
    try {
      for (let i = 0; i < 40; i += 1) scene.write(`noise/${i}`, noiseOf(1024 * 1024, i));
      for (let i = 0; i < 500; i += 1) scene.write(`text/${i}`, `text ${i}`);
      const { summary } = await scene.run({ dryRun: true });
      const { first } = backupEstimate(summary, prices, 1);
      const store = new TracedStore(scene.store, openClock());
      await scene.backup({ store });
      const { calls, bytesUp } = store.traffic;
      const sent = Object.values(bytesUp).reduce((sum, bytes) => sum + bytes, 0);
      expect(Math.abs((first?.requests.put ?? 0) - calls.save)).toBeLessThanOrEqual(3);
      expect(Math.abs((first?.requests.list ?? 0) - calls.list)).toBeLessThanOrEqual(1);
      expect(Math.abs((first?.requests.get ?? 0) - calls.load)).toBeLessThanOrEqual(1);
      expect(Math.abs((first?.bytesUp ?? 0) - sent)).toBeLessThan(0.01 * sent);
    } finally {
      scene.remove();
    }
  });
});
