import { describe, expect, it } from "vitest";
import { ClockJumps } from "../node/clock-jumps.ts";
import { openClocks } from "./clocks.ts";

describe("openClocks", () => {
  it("reads clocks that agree with each other on a machine that is awake", async (context) => {
    if (process.platform !== "linux") context.skip("needs Linux");
    const read = openClocks();
    const first = read();
    expect(Math.abs(first.wallMs - Date.now())).toBeLessThan(60_000);
    expect(first.bootMs).toBeGreaterThan(first.awakeMs);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const second = read();
    expect(second.bootMs - first.bootMs).toBeGreaterThan(40);
    expect(new ClockJumps(first).next(second)).toEqual({ slept: false, wasSet: false });
  });
});
