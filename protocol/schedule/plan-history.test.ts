import fc from "fast-check";
import { expect, it } from "vitest";
import { SimulatedMachine } from "../../test/schedule/simulated-machine.ts";
import { type ScheduleRules, scheduleRules } from "../policy/schedule-rules.ts";
import { dayMs, hourMs, minuteMs } from "./local-time.ts";
import { nextSlot } from "./slots.ts";
import { spansMax } from "./time-spans.ts";

const zones = fc.constantFrom(...Intl.supportedValuesOf("timeZone"));
const starts = fc
  .integer({ min: Date.UTC(2031, 1), max: Date.UTC(2055, 0) })
  .map((ms) => new Date(ms).toISOString());

interface Case {
  readonly rules: ScheduleRules;
  /** No two slots are further apart, wherever the clock is put forward or back. */
  readonly apartMsMax: number;
}

function aCase(given: Parameters<typeof scheduleRules.parse>[0], apartMsMax: number): Case {
  return { rules: scheduleRules.parse(given), apartMsMax };
}

const cases = fc.constantFrom(
  aCase({ timers: [{ every: "day", at: "22:00" }] }, 26 * hourMs),
  aCase({ timers: [{ every: "day", at: "02:30" }], events: ["lock"] }, 26 * hourMs),
  aCase({ timers: [{ every: "interval", interval: "10m" }] }, hourMs),
  aCase({ timers: [{ every: "interval", interval: "1h", offset: "20m" }] }, 2 * hourMs),
  aCase({ timers: [{ every: "interval", interval: "5h" }] }, 7 * hourMs),
  aCase({ timers: [{ every: "cron", expression: "5 */2 * * *" }] }, 4 * hourMs),
  aCase(
    {
      timers: [
        { every: "day", at: "12:00", days: "weekdays" },
        { every: "month", at: "01:15", day: "last" },
      ],
      missed: { action: "skip" },
    },
    4 * dayMs,
  ),
  aCase(
    { timers: [{ every: "day", at: "12:00" }], window: [{ from: "20:00", to: "03:00" }] },
    26 * hourMs,
  ),
);

function newMachine(rules: ScheduleRules, zone: string, start: string): SimulatedMachine {
  const machine = new SimulatedMachine(rules, zone, start);
  machine.trustsPlan = true;
  return machine;
}

it("an undisturbed machine runs every slot at its moment, and says before when that is", () => {
  fc.assert(
    fc.property(cases, zones, starts, ({ rules }, zone, start) => {
      const machine = newMachine(rules, zone, start);
      machine.pass(4 * dayMs);
      const expected: number[] = [];
      for (let at = Date.parse(start); ; ) {
        const slot = nextSlot(rules, zone, at);
        if (slot === undefined || slot.atMs > machine.trueMs) break;
        expected.push(slot.atMs);
        at = slot.atMs;
      }
      expect(machine.runs.map(({ trueMs }) => trueMs)).toEqual(expected);
      expect(machine.runs.every(({ cause, trueMs }) => cause.slotMs === trueMs)).toBe(true);
      expect(machine.brokenPromises).toEqual([]);
    }),
    { numRuns: 50 },
  );
});

it.each(["Europe/Berlin", "Africa/Casablanca"])("thirty years of %s have one run a day", (zone) => {
  const { rules } = aCase({ timers: [{ every: "day", at: "02:15" }] }, 0);
  const machine = newMachine(rules, zone, "2025-01-01T12:00:00Z");
  machine.pass(30 * 365 * dayMs);
  const days = machine.runs.map(({ wallMs }) =>
    Temporal.Instant.fromEpochMilliseconds(wallMs)
      .toZonedDateTimeISO(zone)
      .toPlainDate()
      .toString(),
  );
  expect(days).toHaveLength(30 * 365);
  expect(new Set(days).size).toBe(days.length);
});

interface Step {
  readonly name: string;
  take(machine: SimulatedMachine): void;
}

function step(name: string, take: Step["take"]): Step {
  return { name, take };
}

const hours = (max: number): fc.Arbitrary<number> =>
  fc
    .oneof(fc.integer({ min: 1, max: max * 60 }), fc.integer({ min: 1, max: 90 }))
    .map((m) => m * minuteMs);
const clockSteps = fc.oneof(
  { arbitrary: fc.integer({ min: -30 * 60, max: 30 * 60 }).map((m) => m * minuteMs), weight: 6 },
  { arbitrary: fc.integer({ min: -2000, max: 2000 }), weight: 2 },
  { arbitrary: fc.constantFrom(40 * dayMs, -40 * dayMs, 3650 * dayMs), weight: 1 },
);

const steps: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: hours(60).map((ms) => step(`pass ${ms}`, (each) => each.pass(ms))), weight: 6 },
  { arbitrary: hours(80).map((ms) => step(`sleep ${ms}`, (each) => each.sleep(ms))), weight: 2 },
  { arbitrary: hours(80).map((ms) => step(`off ${ms}`, (each) => each.powerOff(ms))), weight: 2 },
  { arbitrary: clockSteps.map((ms) => step(`set ${ms}`, (each) => each.setClock(ms))), weight: 3 },
  { arbitrary: zones.map((zone) => step(zone, (each) => each.changeZone(zone))), weight: 2 },
  fc.constantFrom(
    step("by hand", (each) => each.startByHand()),
    step("lock", (each) => each.happens("lock")),
    step("will die", (each) => {
      each.diesBeforeRequest = true;
    }),
    step("will fail", (each) => {
      each.end = { outcome: "failure" };
    }),
    step("will succeed", (each) => {
      each.end = { outcome: "success" };
    }),
  ),
  hours(6).map((ms) =>
    step(`last ${ms}`, (each) => {
      each.durationMs = each.durationMs === 0 ? ms : 0;
    }),
  ),
);

it("whatever happens to machine, clock and zone: no slot runs twice, and nothing starves", () => {
  fc.assert(
    fc.property(
      cases,
      zones,
      starts,
      fc.array(steps, { minLength: 5, maxLength: 40 }),
      fc.double({ min: 0, max: 0.99, noNaN: true }),
      ({ rules, apartMsMax }, zone, start, history, chance) => {
        const machine = newMachine(rules, zone, start);
        machine.chance = chance;
        for (const each of history) each.take(machine);
        const slots = machine.runs
          .map(({ cause }) => cause.slotMs)
          .filter((slot) => slot !== undefined);
        expect(new Set(slots).size).toBe(slots.length);
        expect(machine.brokenPromises).toEqual([]);
        expect(machine.plan.memory?.served.length).toBeLessThanOrEqual(spansMax);

        // From here on it is left alone.
        machine.end = { outcome: "success" };
        machine.durationMs = 0;
        machine.pass(6 * hourMs);
        const before = machine.runs.length;
        machine.pass(2 * apartMsMax + minuteMs);
        expect(machine.runs.length - before).toBeGreaterThanOrEqual(1);
      },
    ),
    { numRuns: 60 },
  );
});

it("hours that come again right after a first look just before a slot have no more runs than others", () => {
  const { rules } = aCase({ timers: [{ every: "interval", interval: "5h" }] }, 0);
  const machine = newMachine(rules, "America/Aruba", "2054-12-31T23:59:59.978Z");
  machine.changeZone("Pacific/Marquesas");
  // As many as a storm of runs would be noticed by, without waiting for all of it.
  for (let hour = 0; hour < 48 && machine.runs.length < 20; hour += 1)
    for (let minute = 0; minute < 60 && machine.runs.length < 20; minute += 1)
      machine.pass(minuteMs);
  expect(machine.trueMs).toBe(Date.parse("2054-12-31T23:59:59.978Z") + 2 * dayMs);
  expect(machine.runs.length).toBeGreaterThanOrEqual(9);
  expect(machine.runs.length).toBeLessThanOrEqual(12);
});

it("looks in between make no run", () => {
  fc.assert(
    fc.property(
      cases,
      zones,
      starts,
      fc.array(steps, { maxLength: 6 }),
      ({ rules }, zone, start, history) => {
        const trusting = newMachine(rules, zone, start);
        const restless = newMachine(rules, zone, start);
        restless.trustsPlan = false;
        for (const each of history) {
          each.take(trusting);
          each.take(restless);
        }
        trusting.pass(2 * hourMs);
        restless.pass(2 * hourMs);
        const times = (machine: SimulatedMachine): string[] =>
          machine.runs.map(({ trueMs, cause }) => `${trueMs} ${cause.kind} ${cause.slotMs}`);
        expect(times(restless)).toEqual(times(trusting));
      },
    ),
    { numRuns: 10 },
  );
});
