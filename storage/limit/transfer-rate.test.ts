import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FakeClock } from "../../platform/fake/fake-clock.ts";
import { TransferRate } from "./transfer-rate.ts";

const never = new AbortController().signal;

describe("TransferRate", () => {
  it("lets no stretch of time carry more than the rate, one burst and one piece", async () => {
    const anyPieces = fc.array(fc.integer({ min: 0, max: 50_000 }), {
      minLength: 1,
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(anyPieces, fc.integer({ min: 100, max: 20_000 }), async (pieces, rate) => {
        const clock = new FakeClock();
        const transfer = new TransferRate(rate, clock);
        const begun: { atMs: number; bytes: number }[] = [];
        await Promise.all(
          pieces.map(async (bytes) => {
            await transfer.wait(bytes, never);
            begun.push({ atMs: clock.monotonic(), bytes });
          }),
        );
        for (const [first, { atMs }] of begun.entries()) {
          let sum = 0;
          for (const { atMs: laterMs, bytes } of begun.slice(first)) {
            // The last piece of a stretch has only begun.
            expect(sum).toBeLessThanOrEqual(
              (rate * (laterMs - atMs + 1000)) / 1000 + largest(pieces),
            );
            sum += bytes;
          }
        }
      }),
      { numRuns: 50 },
    );
  });
  it("reaches the rate", async () => {
    const clock = new FakeClock();
    const transfer = new TransferRate(1000, clock);
    for (let i = 0; i < 100; i += 1) await transfer.wait(500, never);
    // 50,000 bytes; one second's worth may go at once, and the last piece has only begun.
    expect(clock.monotonic()).toBeGreaterThanOrEqual(48_000);
    expect(clock.monotonic()).toBeLessThanOrEqual(50_000);
  });
  it("serves everybody in the order of asking", async () => {
    const clock = new FakeClock();
    const transfer = new TransferRate(100, clock);
    const order: number[] = [];
    await Promise.all(
      [900, 10, 500, 1, 300].map(async (bytes, i) => {
        await transfer.wait(bytes, never);
        order.push(i);
      }),
    );
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });
  it("saves up no more than a second", async () => {
    const clock = new FakeClock();
    const transfer = new TransferRate(1000, clock);
    clock.advance(3_600_000);
    await transfer.wait(1000, never);
    await transfer.wait(1000, never);
    await transfer.wait(1, never);
    expect(clock.sleeps).toEqual([1000]);
  });
  it("makes later ones wait for bytes that were only counted", async () => {
    const clock = new FakeClock();
    const transfer = new TransferRate(1000, clock);
    transfer.count(11_000);
    await transfer.wait(1, never);
    expect(clock.sleeps).toEqual([10_000]);
  });
  it("gives back what an aborted wait had reserved", async () => {
    const clock = new FakeClock();
    const transfer = new TransferRate(1000, clock);
    transfer.count(1000);
    transfer.count(5000);
    const controller = new AbortController();
    const waiting = transfer.wait(1_000_000, controller.signal);
    controller.abort(new Error("the reason"));
    await expect(waiting).rejects.toThrow("the reason");
    await transfer.wait(1, never);
    expect(clock.sleeps).toEqual([5000, 5000]);
  });
  it("never waits without a limit, and refuses a rate of nothing", async () => {
    const clock = new FakeClock();
    const transfer = new TransferRate(Number.POSITIVE_INFINITY, clock);
    for (let i = 0; i < 5; i += 1) await transfer.wait(2 ** 40, never);
    expect(clock.sleeps).toEqual([]);
    for (const rate of [0, -1, Number.NaN])
      expect(() => new TransferRate(rate, clock)).toThrow(RangeError);
  });
});

function largest(numbers: readonly number[]): number {
  return numbers.reduce((most, number) => Math.max(most, number), 0);
}
