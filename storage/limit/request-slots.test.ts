import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RequestSlots } from "./request-slots.ts";

const never = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("RequestSlots", () => {
  it("never holds more than it may, serves all, and is empty at the end", async () => {
    const anyRequests = fc.array(
      fc.record({ bytes: fc.nat(150), turns: fc.nat(3), isAborted: fc.boolean() }),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(anyRequests, fc.integer({ min: 1, max: 5 }), async (requests, countMax) => {
        const slots = new RequestSlots(countMax, 100);
        let served = 0;
        await Promise.all(
          requests.map(async ({ bytes, turns, isAborted }, i) => {
            const controller = new AbortController();
            if (isAborted) setImmediate(() => controller.abort());
            const release = await slots.enter(bytes, controller.signal).catch(() => undefined);
            if (release === undefined) {
              expect(requests[i].isAborted).toBe(true);
              return;
            }
            served += 1;
            expect(slots.count).toBeLessThanOrEqual(countMax);
            expect(slots.bytes <= 100 || slots.count === 1).toBe(true);
            for (let t = 0; t < turns; t += 1) await turn();
            release();
            release();
          }),
        );
        expect(served).toBeGreaterThanOrEqual(requests.filter((r) => !r.isAborted).length);
        expect([slots.count, slots.bytes]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
  });
  it("lets no small request pass a large one that waits", async () => {
    const slots = new RequestSlots(10, 100);
    const first = await slots.enter(60, never);
    const order: string[] = [];
    const large = slots.enter(80, never).then((release) => {
      order.push("large");
      release();
    });
    const small = slots.enter(1, never).then((release) => {
      order.push("small");
      release();
    });
    await turn();
    expect(order).toEqual([]);
    first();
    await Promise.all([large, small]);
    expect(order).toEqual(["large", "small"]);
  });
  it("lets those behind go on when the one they waited for is aborted", async () => {
    const slots = new RequestSlots(10, 100);
    const first = await slots.enter(60, never);
    const controller = new AbortController();
    const large = slots.enter(80, controller.signal);
    const small = slots.enter(1, never);
    controller.abort(new Error("the reason"));
    await expect(large).rejects.toThrow("the reason");
    (await small)();
    first();
    expect(slots.count).toBe(0);
  });
  it("keeps its count when a waiter is aborted just as it is admitted", async () => {
    const slots = new RequestSlots(1, 100);
    const first = await slots.enter(1, never);
    const controller = new AbortController();
    const second = slots.enter(1, controller.signal);
    const third = slots.enter(1, never);
    first();
    controller.abort();
    (await second)();
    (await third)();
    expect(slots.count).toBe(0);
  });
  it("lets a request through that is larger than the bound, alone", async () => {
    const slots = new RequestSlots(10, 100);
    const release = await slots.enter(1000, never);
    let isIn = false;
    const other = slots.enter(1, never).then((end) => {
      isIn = true;
      end();
    });
    await turn();
    expect(isIn).toBe(false);
    release();
    await other;
  });
});
