import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LatencyHistogram } from "./latency-histogram.ts";
import { processUse } from "./process-meter.ts";
import { RateTimeline } from "./rate-timeline.ts";

describe("the histogram", () => {
  it("tells quantiles to five per cent, also after it was sent and merged", () => {
    const durations = fc.array(fc.double({ min: 0.1, max: 60_000, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(
        durations,
        durations,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (a, b, part) => {
          const [one, two] = [a, b].map((list) => {
            const histogram = new LatencyHistogram();
            for (const each of list) histogram.add(each);
            return new LatencyHistogram(JSON.parse(JSON.stringify(histogram)) as number[]);
          });
          one.merge(two);
          const sorted = [...a, ...b].toSorted((left, right) => left - right);
          const exact = sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];
          expect(one.count).toBe(sorted.length);
          expect(one.quantile(part)).toBeGreaterThan(exact * 0.99);
          expect(one.quantile(part)).toBeLessThan(exact * 1.06);
        },
      ),
    );
  });

  it("is 0 while nothing was counted", () => {
    expect(new LatencyHistogram().quantile(0.99)).toBe(0);
  });
});

it("the timeline tells mean and peak of whole seconds", () => {
  const timeline = new RateTimeline();
  for (const timeMs of [1000, 1500, 1999, 2000, 4000]) timeline.add(timeMs);
  const sent = new RateTimeline(JSON.parse(JSON.stringify(timeline)) as [number, number][]);
  sent.merge(new RateTimeline([[2, 3]]));
  expect(sent.between(1000, 4000)).toEqual({ mean: 7 / 3, peak: 4 });
  expect(sent.between(1001, 1999)).toEqual({ mean: 0, peak: 0 });
});

it.skipIf(process.platform !== "linux")("the meter sees this process and what it uses", () => {
  const before = processUse([process.pid]);
  expect(before.residentBytes).toBeGreaterThan(10_000_000);
  const end = performance.now() + 60;
  while (performance.now() < end);
  expect(processUse([process.pid]).processorMs).toBeGreaterThan(before.processorMs);
});
