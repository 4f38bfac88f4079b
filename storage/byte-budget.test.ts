import { describe, expect, it } from "vitest";
import { ByteBudget } from "./byte-budget.ts";

const never = new AbortController().signal;
const settled = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

/** Takes from the budget and notes in `order` when it got through. */
function take(budget: ByteBudget, bytes: number, order: number[], signal = never): Promise<void> {
  return budget.take(bytes, signal).then(() => void order.push(bytes));
}

describe("a byte budget", () => {
  it("lets through what fits and holds the rest in order", async () => {
    const budget = new ByteBudget(100);
    const order: number[] = [];
    const all = [60, 30, 50, 5].map((bytes) => take(budget, bytes, order));
    await settled();
    expect(order).toEqual([60, 30]);
    budget.give(60);
    await settled();
    expect(order).toEqual([60, 30, 50, 5]);
    await Promise.all(all);
  });

  it("lets more than everything through alone", async () => {
    const budget = new ByteBudget(100);
    const order: number[] = [];
    const all = [10, 1000, 20].map((bytes) => take(budget, bytes, order));
    await settled();
    expect(order).toEqual([10]);
    budget.give(10);
    await settled();
    expect(order).toEqual([10, 1000]);
    budget.give(1000);
    await Promise.all(all);
    expect(order).toEqual([10, 1000, 20]);
  });

  it("lets go of who is cancelled, and those behind go on", async () => {
    const budget = new ByteBudget(100);
    const order: number[] = [];
    await take(budget, 90, order);
    const controller = new AbortController();
    const reason = new Error("enough");
    const cancelled = take(budget, 80, order, controller.signal);
    const behind = take(budget, 10, order);
    controller.abort(reason);
    await expect(cancelled).rejects.toBe(reason);
    budget.give(90);
    await behind;
    expect(order).toEqual([90, 10]);
    await expect(budget.take(1, controller.signal)).rejects.toBe(reason);
  });
});
