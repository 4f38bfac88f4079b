import { describe, expect, it } from "vitest";
import { ClockJumps, type ClockReading } from "./clock-jumps.ts";

const hour = 3_600_000;

function moved(reading: ClockReading, wall: number, awake: number, boot: number): ClockReading {
  const { wallMs, awakeMs, bootMs } = reading;
  return { wallMs: wallMs + wall, awakeMs: awakeMs + awake, bootMs: bootMs + boot };
}

describe("ClockJumps", () => {
  const start: ClockReading = { wallMs: 1.8e12, awakeMs: 5 * hour, bootMs: 9 * hour };
  const change = (wall: number, awake: number, boot: number): unknown =>
    new ClockJumps(start).next(moved(start, wall, awake, boot));

  it("sees nothing while all clocks go on alike, however long it was not asked", () => {
    for (const ms of [0, 2_000, hour])
      expect(change(ms + 300, ms, ms + 5)).toEqual({ slept: false, wasSet: false });
  });

  it("sees sleep, during which the wall clock goes on", () => {
    expect(change(hour, 2_000, hour)).toEqual({ slept: true, wasSet: false });
  });

  it("sees a clock set forward and back", () => {
    for (const wall of [hour, -hour, 5_000, -3_000])
      expect(change(wall, 2_000, 2_000)).toEqual({ slept: false, wasSet: true });
  });

  it("sees both at once, each once", () => {
    const jumps = new ClockJumps(start);
    const later = moved(start, 0, 2_000, hour);
    expect(jumps.next(later)).toEqual({ slept: true, wasSet: true });
    expect(jumps.next(moved(later, 2_000, 2_000, 2_000))).toEqual({ slept: false, wasSet: false });
  });
});
