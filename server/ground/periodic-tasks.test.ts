import { expect, it } from "vitest";
import { eachGround } from "../../test/server/test-ground.ts";
import { PeriodicTasks, takeLease } from "./periodic-tasks.ts";

const task = { name: "tidy", everyMs: 10_000 };

eachGround("periodic tasks", (ground) => {
  it("are done by whoever holds the lease, until it has not come back for three turns", async () => {
    expect(await takeLease(ground(), task, "a")).toBe(true);
    expect(await takeLease(ground(), task, "b")).toBe(false);
    expect(await takeLease(ground(), { ...task, name: "other" }, "b")).toBe(true);
    ground().advance(20_000);
    expect(await takeLease(ground(), task, "a")).toBe(true);
    ground().advance(30_000);
    expect(await takeLease(ground(), task, "b")).toBe(false);
    ground().advance(1);
    expect(await takeLease(ground(), task, "b")).toBe(true);
    expect(await takeLease(ground(), task, "a")).toBe(false);
  });

  it("are given to one of many who ask at the same time", async () => {
    const holders = Array.from({ length: 20 }, (_, i) => String(i));
    const taken = await Promise.all(
      holders.map(async (holder) => await takeLease(ground(), task, holder)),
    );
    expect(taken.filter(Boolean)).toHaveLength(1);
  });

  it("go on after one of them failed", async () => {
    const stop = new AbortController();
    const tasks = new PeriodicTasks({ ...ground(), signal: stop.signal });
    let turns = 0;
    const enough = Promise.withResolvers<void>();
    tasks.start({
      name: "fails",
      everyMs: 5,
      run: async () => {
        turns++;
        if (turns === 3) enough.resolve();
        throw new Error("no luck");
      },
    });
    await enough.promise;
    stop.abort();
    await tasks.ended();
    expect(ground().logged.filter((line) => line.includes("no luck")).length).toBeGreaterThan(1);
  });
});
