/** The bound on bytes under way. */
import { describe, expect, it } from "vitest";
import { ByteBudget } from "./byte-budget.ts";

const signal = new AbortController().signal;

describe("ByteBudget", () => {
  it("lets through what fits, in order, and one thing that is larger than everything", async () => {
    const budget = new ByteBudget(100);
    const log: string[] = [];
    const take = (name: string, bytes: number): Promise<void> =>
      budget.take(bytes, signal).then(() => {
        log.push(name);
      });
    const taken = [take("a", 60), take("b", 60), take("c", 10), take("huge", 1000), take("d", 1)];
    await new Promise(setImmediate);
    expect(log).toEqual(["a"]);
    budget.give(60);
    await new Promise(setImmediate);
    expect(log).toEqual(["a", "b", "c"]);
    budget.give(60);
    await new Promise(setImmediate);
    expect(log).toEqual(["a", "b", "c"]);
    budget.give(10);
    await new Promise(setImmediate);
    expect(log).toEqual(["a", "b", "c", "huge"]);
    budget.give(1000);
    await Promise.all(taken);
    expect(log.at(-1)).toBe("d");
  });

  it("stops waiting when aborted, and nobody loses their turn by that", async () => {
    const budget = new ByteBudget(10);
    await budget.take(10, signal);
    const controller = new AbortController();
    const reason = new Error("enough");
    const aborted = budget.take(5, controller.signal);
    const other = budget.take(5, signal);
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    budget.give(10);
    await other;
    await expect(budget.take(1, controller.signal)).rejects.toBe(reason);
  });
});
