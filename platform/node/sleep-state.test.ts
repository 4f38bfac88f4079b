import { beforeEach, describe, expect, it } from "vitest";
import { SleepState } from "./sleep-state.ts";

describe("SleepState", () => {
  let nowMs: number;
  let told: string[];
  let state: SleepState;

  beforeEach(() => {
    nowMs = 0;
    told = [];
    state = new SleepState(
      ({ kind }) => told.push(kind),
      () => nowMs,
    );
  });

  it("tells one sleep and one resume, though logind and the clocks both do", () => {
    state.announced(true);
    state.announced(true);
    state.noticed();
    nowMs += 500;
    state.announced(false);
    expect(told).toEqual(["sleep", "resume"]);
    nowMs += 1_000;
    state.announced(true);
    nowMs += 100;
    state.announced(false);
    state.noticed();
    expect(told).toEqual(["sleep", "resume", "sleep", "resume"]);
  });

  it("tells the resume of a sleep that nobody announced", () => {
    state.noticed();
    nowMs += 60_000;
    state.noticed();
    nowMs += 60_000;
    state.announced(false);
    expect(told).toEqual(["resume", "resume", "resume"]);
  });
});
