/** Surviving the signal by which restic asks whether a process lives. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { hasTerminal, outliveHangUp } from "./hang-up.ts";

it("outlives the signal as long as anybody wants to", async () => {
  const before = process.listenerCount("SIGHUP");
  const ends = [outliveHangUp(), outliveHangUp()];
  ends[0]();
  expect(process.listenerCount("SIGHUP")).toBe(before + 1);
  process.kill(process.pid, "SIGHUP");
  await sleep(50);
  ends[1]();
  ends[1]();
  expect(process.listenerCount("SIGHUP")).toBe(before);
});

it("says whether there is a terminal", () => {
  expect(typeof hasTerminal()).toBe("boolean");
});
