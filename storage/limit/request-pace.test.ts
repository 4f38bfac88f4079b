import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  afterSuccess,
  afterThrottling,
  firstPace,
  isThrottling,
  type RequestPace,
} from "./request-pace.ts";

const anyMost = fc.integer({ min: 1, max: 64 });

/** `true`: a success. `false`: throttled in the present round. */
function paceAfter(events: readonly boolean[], most: number): RequestPace {
  return events.reduce(
    (pace, isGood) => (isGood ? afterSuccess(pace, most) : afterThrottling(pace, pace.round)),
    firstPace(most),
  );
}

describe("the pace of requests", () => {
  it("stays between one and the most, whatever happens", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 300 }), anyMost, (events, most) => {
        const { allowed } = paceAfter(events, most);
        expect(Number.isInteger(allowed)).toBe(true);
        expect(allowed).toBeGreaterThanOrEqual(1);
        expect(allowed).toBeLessThanOrEqual(most);
      }),
    );
  });
  it("never rises by throttling, never falls by a success, and by one at a time", () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 100 }),
        anyMost,
        fc.nat(100),
        (events, most, round) => {
          const pace = paceAfter(events, most);
          const rise = afterSuccess(pace, most).allowed - pace.allowed;
          expect([0, 1]).toContain(rise);
          const { allowed } = afterThrottling(pace, round);
          expect(allowed).toBeLessThanOrEqual(pace.allowed);
          expect(allowed).toBeGreaterThanOrEqual(Math.floor(pace.allowed / 2));
        },
      ),
    );
  });
  it("is at the most again after enough successes", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 100 }), anyMost, (events, most) => {
        const enough = Array.from({ length: most * most + 1 }, () => true);
        expect(paceAfter([...events, ...enough], most).allowed).toBe(most);
      }),
    );
  });
  it("falls once for requests that were refused together", () => {
    fc.assert(
      fc.property(anyMost, fc.integer({ min: 1, max: 64 }), (most, refused) => {
        let pace = firstPace(most);
        for (let i = 0; i < refused; i += 1) pace = afterThrottling(pace, 0);
        expect(pace).toEqual({ allowed: Math.max(1, most >> 1), round: 1, successes: 0 });
      }),
    );
  });
});

describe("throttling", () => {
  it.each([
    [{ status: 503 }, true],
    [{ status: 429 }, true],
    [{ retryAfterMs: 1000 }, true],
    [{ status: 500 }, false],
    [{ system: "ECONNRESET" }, false],
  ])("%o: %s", (context, expected) => {
    expect(isThrottling(new BackstayError("STORE_UNAVAILABLE", context))).toBe(expected);
  });
  it("is no other error", () => {
    expect(isThrottling(new BackstayError("STORE_DENIED", { status: 503 }))).toBe(false);
    expect(isThrottling(new Error("503"))).toBe(false);
  });
});
