import { beforeEach, expect, it } from "vitest";
import { FakeClock } from "../../platform/fake/fake-clock.ts";
import { FakeSystemEvents } from "../../platform/fake/fake-system-events.ts";
import type { SystemEvent } from "../../platform/ports/system-events.ts";
import { SleepLocks } from "./sleep-locks.ts";

const minuteMs = 60_000;
const lock: SystemEvent = { kind: "lock", session: "1", user: "ann" };
let source: FakeSystemEvents;
let clock: FakeClock;
let events: SleepLocks;
let told: string[];

beforeEach(async () => {
  source = new FakeSystemEvents();
  clock = new FakeClock();
  events = new SleepLocks(source, clock);
  told = [];
  await events.start(({ kind }) => told.push(`${kind} ${clock.monotonic()}`));
});

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function sleep(forMs: number): void {
  source.happen({ kind: "sleep" });
  clock.advance(forMs);
  source.happen({ kind: "resume" });
}

it("a lock is told in less than a second, everything else at once", async () => {
  source.happen(lock);
  source.happen({ kind: "power-change" });
  expect(told).toEqual(["power-change 0"]);
  await settled();
  expect(told).toEqual(["power-change 0", "lock 700"]);
});

it.each(["before", "after"])(
  "a lock right %s the machine went to sleep is told when it wakes up",
  async (when) => {
    if (when === "before") source.happen(lock);
    source.happen({ kind: "sleep" });
    if (when === "after") source.happen(lock);
    await settled();
    expect(told.map((each) => each.split(" ")[0])).toEqual(["sleep"]);
    clock.advance(10 * minuteMs);
    source.happen({ kind: "resume" });
    await settled();
    expect(told.map((each) => each.split(" ")[0])).toEqual(["sleep", "resume", "lock"]);
  },
);

it("a lock of a sleep of more than 15 minutes is not told", async () => {
  source.happen(lock);
  sleep(16 * minuteMs);
  await settled();
  expect(told.some((each) => each.startsWith("lock"))).toBe(false);
});

it.each([
  [14, 1],
  [16, 0],
])("a lock that arrives right after %i minutes of sleep belongs to it", async (minutes, locks) => {
  sleep(minutes * minuteMs);
  clock.advance(500);
  source.happen(lock);
  await settled();
  expect(told.filter((each) => each.startsWith("lock"))).toHaveLength(locks);
});

it("a lock some time after a long sleep is one like any other", async () => {
  sleep(60 * minuteMs);
  clock.advance(minuteMs);
  source.happen(lock);
  await settled();
  expect(told.at(-1)).toMatch(/^lock/);
});

it("nothing is told after the end", async () => {
  source.happen(lock);
  await events.stop();
  await settled();
  expect(told).toEqual([]);
});
