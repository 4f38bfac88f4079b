import { describe, expect, it } from "vitest";
import { SimulatedMachine } from "../../test/schedule/simulated-machine.ts";
import { type ScheduleRules, scheduleRules } from "../policy/schedule-rules.ts";
import { hourMs, minuteMs } from "./local-time.ts";
import { planRuns } from "./plan-runs.ts";

const zone = "Europe/Berlin";

function rules(given: Parameters<typeof scheduleRules.parse>[0]): ScheduleRules {
  return scheduleRules.parse(given);
}

const daily = rules({ timers: [{ every: "day", at: "22:00" }] });
const hourly = rules({ timers: [{ every: "interval", interval: "1h" }] });

function machine(given: ScheduleRules, start: string): SimulatedMachine {
  const at = Temporal.PlainDateTime.from(start).toZonedDateTime(zone);
  return new SimulatedMachine(given, zone, at.toInstant().toString());
}

describe("a new policy", () => {
  it("waits for its first slot and says why", () => {
    const computer = machine(daily, "2026-05-04T12:00");
    expect(computer.next).toBe("05-04T22:00 every day at 22:00");
    computer.pass(34 * hourMs + 10 * minuteMs);
    expect(computer.log).toEqual(["05-04T22:00 schedule", "05-05T22:00 schedule"]);
  });

  it("of which only an old session is known makes up for what was missed since", () => {
    const now = { wallMs: Date.UTC(2026, 4, 4, 12), monotonicMs: 0, clockId: "x" };
    const startedMs = now.wallMs - 30 * hourMs;
    const cause = { kind: "schedule", text: "every day at 22:00" } as const;
    const lastEnded = { id: "1", cause, attempt: 1, startedMs, outcome: "success" } as const;
    const facts = { now, zone, chance: 0, lastEnded, events: [], finishedPolicies: [] };
    expect(planRuns(daily, "server", undefined, facts).decision).toMatchObject({
      kind: "run",
      cause: { kind: "missed", slotMs: Date.UTC(2026, 4, 3, 20) },
    });
  });

  it("without timers says what it waits for", () => {
    expect(machine(rules({ events: ["lock", "resume"] }), "2026-05-04T12:00").next).toBe(
      "when a screen is locked, or when the machine wakes up",
    );
    expect(machine(rules({}), "2026-05-04T12:00").next).toBe("only by hand");
  });

  it("that runs continuously starts at once", () => {
    const computer = machine(rules({ timers: [{ every: "continuous" }] }), "2026-05-04T12:00");
    computer.durationMs = 5 * minuteMs;
    computer.pass(20 * minuteMs + 1);
    expect(computer.log).toEqual([
      "05-04T12:00 schedule",
      "05-04T12:01 schedule",
      "05-04T12:06 schedule",
      "05-04T12:11 schedule",
      "05-04T12:16 schedule",
    ]);
  });
});

describe("a missed slot", () => {
  it("is made up for once, after the machine was off for several", () => {
    const computer = machine(daily, "2026-05-04T12:00");
    computer.chance = 0.5;
    computer.powerOffUntil("2026-05-08T09:00");
    expect(computer.log).toEqual([]);
    expect(computer.next).toBe("05-08T09:02 every day at 22:00, missed at 2026-05-07 22:00");
    computer.pass(24 * hourMs);
    expect(computer.log).toEqual(["05-08T09:02 missed", "05-08T22:00 schedule"]);
    expect(computer.runs[0].cause.slotMs).toBe(Date.UTC(2026, 4, 7, 20));
  });

  it("is made up for once after sleep over three of them", () => {
    const computer = machine(hourly, "2026-05-04T12:30");
    computer.sleep(3 * hourMs);
    computer.pass(hourMs);
    expect(computer.log).toEqual(["05-04T15:30 missed", "05-04T16:00 schedule"]);
  });

  it("keeps its delay when the machine is switched off again", () => {
    const computer = machine(daily, "2026-05-04T12:00");
    computer.chance = 0.9;
    computer.powerOffUntil("2026-05-05T09:00");
    computer.powerOffUntil("2026-05-05T09:02");
    computer.powerOffUntil("2026-05-05T09:20");
    expect(computer.log).toEqual(["05-05T09:20 missed"]);
  });

  const skipping = rules({ timers: [{ every: "day", at: "22:00" }], missed: { action: "skip" } });

  it("is skipped if the policy says so, and that is told", () => {
    const computer = machine(skipping, "2026-05-04T12:00");
    computer.powerOffUntil("2026-05-04T22:15:01");
    computer.pass(hourMs);
    expect(computer.log).toEqual([]);
    expect(computer.leftOut).toEqual([
      "every day at 22:00 (22:00): missed, and missed runs are skipped",
    ]);
    expect(computer.next).toBe("05-05T22:00 every day at 22:00");
  });

  it("within 15 minutes still counts as on time, even then", () => {
    const computer = machine(skipping, "2026-05-04T12:00");
    computer.powerOffUntil("2026-05-04T22:15");
    expect(computer.log).toEqual(["05-04T22:15 schedule"]);
  });

  it("is no longer made up for once somebody ran the policy by hand", () => {
    const computer = machine(daily, "2026-05-04T12:00");
    computer.chance = 0.9;
    computer.powerOffUntil("2026-05-05T09:00");
    computer.durationMs = minuteMs;
    computer.startByHand();
    computer.pass(hourMs);
    expect(computer.log).toEqual(["05-05T09:00 manual"]);
  });
});

describe("a failed run", () => {
  it("of a server is repeated three times, half an hour apart", () => {
    const computer = machine(daily, "2026-05-04T21:00");
    computer.end = { outcome: "failure" };
    computer.durationMs = 10 * minuteMs;
    computer.pass(65 * minuteMs);
    computer.pass(10 * minuteMs);
    expect(computer.next).toBe("05-04T22:40 retry 1 of 3 after the failure at 22:10");
    computer.pass(20 * hourMs);
    expect(computer.log).toEqual([
      "05-04T22:00 schedule",
      "05-04T22:40 retry",
      "05-04T23:20 retry",
      "05-05T00:00 retry",
    ]);
    expect(computer.runs.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
  });

  it("of a workstation is repeated every ten minutes for 23 hours, then comes the next slot", () => {
    const computer = machine(daily, "2026-05-04T21:59");
    computer.kind = "workstation";
    computer.end = { outcome: "failure" };
    computer.pass(24 * hourMs + 2 * minuteMs);
    const retries = computer.runs.filter(({ cause }) => cause.kind === "retry");
    expect(retries).toHaveLength(138);
    expect(computer.log.at(-2)).toBe("05-05T21:00 retry");
    expect(computer.log.at(-1)).toBe("05-05T22:00 schedule");
    expect(computer.runs.at(-1)?.attempt).toBe(1);
  });

  it.each(["success", "warning"] as const)("is not repeated after %s", (outcome) => {
    const computer = machine(daily, "2026-05-04T21:00");
    computer.end = { outcome: "failure" };
    computer.pass(61 * minuteMs);
    computer.end = { outcome };
    computer.pass(10 * hourMs);
    expect(computer.log).toEqual(["05-04T22:00 schedule", "05-04T22:30 retry"]);
  });

  it("that somebody started, or canceled, is not repeated", () => {
    const byHand = machine(daily, "2026-05-04T12:00");
    byHand.durationMs = minuteMs;
    byHand.end = { outcome: "failure" };
    byHand.startByHand();
    byHand.pass(5 * hourMs);
    expect(byHand.log).toEqual(["05-04T12:00 manual"]);

    const canceled = machine(daily, "2026-05-04T21:59");
    canceled.end = { outcome: "canceled", endedBy: { by: "user", text: "ann" } };
    canceled.pass(5 * hourMs);
    expect(canceled.log).toEqual(["05-04T22:00 schedule"]);
  });

  it("of an event is not repeated, one that made up for a missed slot is", () => {
    const computer = machine({ ...daily, events: ["lock"] }, "2026-05-04T12:00");
    computer.end = { outcome: "failure" };
    computer.happens("lock");
    computer.pass(2 * hourMs);
    expect(computer.log).toEqual(["05-04T12:00 event"]);
    computer.powerOffUntil("2026-05-05T08:00");
    computer.pass(31 * minuteMs);
    expect(computer.log.slice(1)).toEqual(["05-05T08:00 missed", "05-05T08:30 retry"]);
  });

  it("is repeated when the power failed", () => {
    const computer = machine(daily, "2026-05-04T21:59");
    computer.durationMs = hourMs;
    computer.pass(30 * minuteMs);
    computer.powerOff(hourMs);
    computer.pass(2 * hourMs);
    expect(computer.log).toEqual(["05-04T22:00 schedule", "05-04T23:59 retry"]);
  });

  it("of a continuous schedule is followed by longer and longer waits", () => {
    const computer = machine(rules({ timers: [{ every: "continuous" }] }), "2026-05-04T12:00");
    computer.end = { outcome: "failure" };
    computer.pass(20 * hourMs);
    expect(computer.log.slice(0, 6)).toEqual([
      "05-04T12:00 schedule",
      "05-04T12:01 schedule",
      "05-04T12:02 schedule",
      "05-04T12:04 schedule",
      "05-04T12:08 schedule",
      "05-04T12:16 schedule",
    ]);
    expect(computer.runs.length).toBeLessThan(30);
    expect(computer.runs.length).toBeGreaterThan(20);
  });
});

describe("a run that is still going on", () => {
  it("makes a slot fall away, visibly", () => {
    const computer = machine(hourly, "2026-05-04T12:30");
    computer.durationMs = 150 * minuteMs;
    computer.pass(4 * hourMs);
    expect(computer.log).toEqual(["05-04T13:00 schedule", "05-04T16:00 schedule"]);
    expect(computer.leftOut).toEqual([
      "every 1 h (14:00): a run was still going on",
      "every 1 h (15:00): a run was still going on",
    ]);
  });

  it("for three days leaves the schedule as it is", () => {
    const computer = machine(daily, "2026-05-04T12:00");
    computer.trustsPlan = true;
    computer.durationMs = 73 * hourMs;
    computer.pass(5 * 24 * hourMs);
    expect(computer.log).toEqual(["05-04T22:00 schedule", "05-08T22:00 schedule"]);
    expect(computer.leftOut).toHaveLength(3);
  });
});

describe("a backup window", () => {
  const windowed = rules({
    timers: [{ every: "day", at: "23:00" }],
    events: ["lock"],
    window: [{ from: "22:00", to: "06:00" }],
  });

  it("that closes ends the run, which goes on in the next", () => {
    const computer = machine(windowed, "2026-05-04T12:00");
    computer.durationMs = 10 * hourMs;
    computer.pass(20 * hourMs);
    expect(computer.stops).toEqual(["05-05T06:00 the backup window closed"]);
    expect(computer.next).toBe(
      "05-05T22:00 goes on after the backup window closed; waits for the backup window",
    );
    computer.pass(16 * hourMs);
    expect(computer.log).toEqual(["05-04T23:00 schedule", "05-05T22:00 retry"]);
    expect(computer.leftOut).toHaveLength(1);
  });

  it("makes an event and a missed run wait, and says so", () => {
    const computer = machine(windowed, "2026-05-04T12:00");
    computer.happens("lock");
    expect(computer.next).toBe("05-04T22:00 lock; waits for the backup window");
    computer.pass(10 * hourMs + minuteMs);
    expect(computer.log).toEqual(["05-04T22:00 event"]);
    computer.powerOffUntil("2026-05-05T12:00");
    expect(computer.next).toBe(
      "05-05T22:00 every day at 23:00, missed at 2026-05-04 23:00; waits for the backup window",
    );
    computer.pass(12 * hourMs);
    expect(computer.log).toEqual([
      "05-04T22:00 event",
      "05-05T22:00 missed",
      "05-05T23:00 schedule",
    ]);
  });

  it("does not end a run that somebody started", () => {
    const computer = machine(windowed, "2026-05-04T12:00");
    computer.durationMs = hourMs;
    computer.startByHand();
    computer.pass(2 * hourMs);
    expect(computer.stops).toEqual([]);
  });
});

describe("an event", () => {
  it("starts a run at once, if the policy names it", () => {
    const computer = machine(rules({ events: ["lock"] }), "2026-05-04T12:00");
    computer.happens("unlock");
    computer.happens("lock");
    expect(computer.log).toEqual(["05-04T12:00 event"]);
    expect(computer.runs[0].cause).toEqual({ kind: "event", text: "lock" });
  });

  const rare = { ...daily, events: ["lock"], noMoreOftenThan: 4 * hourMs } satisfies ScheduleRules;

  it("keeps its distance from the last run of whatever cause", () => {
    const computer = machine(rare, "2026-05-04T21:00");
    computer.pass(61 * minuteMs);
    computer.pass(2 * hourMs);
    computer.happens("lock");
    computer.pass(2 * hourMs);
    computer.happens("lock");
    expect(computer.log).toEqual(["05-04T22:00 schedule", "05-05T02:01 event"]);
    expect(computer.leftOut).toEqual([
      "lock: no more often than allowed, not for another 1 h 59 min",
    ]);
  });

  it("may start a run soon after one that failed", () => {
    const computer = machine(rare, "2026-05-04T21:59");
    computer.useRules({ ...rare, retry: { attempts: 0, interval: minuteMs } });
    computer.end = { outcome: "failure" };
    computer.pass(6 * minuteMs);
    computer.happens("lock");
    computer.pass(6 * minuteMs);
    computer.happens("lock");
    expect(computer.log).toEqual(["05-04T22:00 schedule", "05-04T22:11 event"]);
  });
});

it("after another policy runs once that has ended", () => {
  const after = rules({ timers: [{ every: "after-policy", policy: "mail" }] });
  const computer = machine(after, "2026-05-04T12:00");
  expect(computer.next).toBe("after policy mail");
  computer.look([], ["files"]);
  computer.look([], ["mail"]);
  computer.pass(hourMs);
  expect(computer.log).toEqual(["05-04T12:00 after-policy"]);
});

describe("the clock", () => {
  it("set back runs nothing twice, and goes on by elapsed time meanwhile", () => {
    const computer = machine(hourly, "2026-05-04T08:30");
    computer.pass(4 * hourMs);
    computer.setClock(-3 * hourMs);
    computer.pass(5 * hourMs);
    expect(computer.log).toEqual([
      "05-04T09:00 schedule",
      "05-04T10:00 schedule",
      "05-04T11:00 schedule",
      "05-04T12:00 schedule",
      // Set back from 12:30 to 9:30.
      "05-04T10:00 schedule",
      "05-04T11:00 schedule",
      "05-04T12:00 schedule",
      "05-04T13:00 schedule",
      "05-04T14:00 schedule",
    ]);
    const slots = computer.runs
      .map(({ cause }) => cause.slotMs)
      .filter((slot) => slot !== undefined);
    expect(new Set(slots).size).toBe(slots.length);
    expect(slots).toHaveLength(6);
  });

  it("set back does not run a daily slot again", () => {
    const computer = machine(daily, "2026-05-04T21:00");
    computer.pass(90 * minuteMs);
    computer.setClock(-hourMs);
    expect(computer.next).toBe("05-05T22:00 every day at 22:00");
    computer.pass(20 * hourMs);
    expect(computer.log).toEqual(["05-04T22:00 schedule"]);
  });

  it("set back far while runs were due does not starve them", () => {
    const computer = machine(daily, "2026-05-04T21:00");
    computer.trustsPlan = true;
    computer.pass(20 * 24 * hourMs);
    computer.setClock(-15 * 24 * hourMs + 5 * hourMs);
    const before = computer.runs.length;
    computer.pass(10 * 24 * hourMs);
    expect(computer.runs.length - before).toBe(10);
  });

  it("that was years ahead and is set right goes on as if nothing had been", () => {
    const computer = machine(daily, "2026-05-04T12:00");
    computer.trustsPlan = true;
    computer.setClock(10 * 365 * 24 * hourMs);
    computer.pass(hourMs);
    computer.setClock(-10 * 365 * 24 * hourMs);
    computer.pass(34 * hourMs);
    expect(computer.log.slice(1)).toEqual(["05-04T22:00 schedule", "05-05T22:00 schedule"]);
    expect(computer.log[0]).toMatch(/missed$/);
  });

  it("set forward over slots makes one run", () => {
    const computer = machine(hourly, "2026-05-04T08:30");
    computer.setClock(5 * hourMs);
    computer.pass(hourMs);
    expect(computer.log).toEqual(["05-04T13:30 missed", "05-04T14:00 schedule"]);
  });

  it("that is not set makes everything wait", () => {
    const computer = new SimulatedMachine(daily, "UTC", "1970-01-01T00:00:10Z");
    expect(computer.next).toBe("the clock shows 1970-01-01: it is not set yet");
    computer.setClock(Date.UTC(2026, 4, 4, 12));
    computer.pass(24 * hourMs);
    expect(computer.log).toEqual(["05-04T22:00 schedule"]);
  });
});

describe("the time zone", () => {
  it("further west does not run a slot again", () => {
    const computer = machine(daily, "2026-05-04T21:00");
    computer.pass(2 * hourMs);
    computer.changeZone("America/New_York");
    expect(computer.next).toBe("05-05T22:00 every day at 22:00");
    computer.pass(30 * hourMs);
    expect(computer.runs).toHaveLength(2);
  });

  it("further east runs a slot that it jumps over right away, and once", () => {
    const computer = machine(daily, "2026-05-04T18:00");
    computer.changeZone("Asia/Tokyo");
    computer.pass(minuteMs);
    expect(computer.log).toEqual(["05-05T01:00 schedule"]);
    computer.changeZone(zone);
    computer.pass(minuteMs);
    computer.changeZone("Asia/Tokyo");
    computer.pass(minuteMs);
    expect(computer.runs).toHaveLength(1);
    expect(computer.next).toBe("05-05T22:00 every day at 22:00");
  });

  it("of the policy stands above the machine's", () => {
    const computer = machine({ ...daily, timeZone: "UTC" }, "2026-05-04T12:00");
    expect(computer.next).toBe("05-05T00:00 every day at 22:00");
    computer.changeZone("Asia/Tokyo");
    expect(computer.next).toBe("05-05T07:00 every day at 22:00");
  });
});

describe("a daemon that dies", () => {
  it("between storing its memory and asking for the run asks again, once", () => {
    const computer = machine(daily, "2026-05-04T21:59");
    computer.diesBeforeRequest = true;
    computer.pass(5 * hourMs);
    expect(computer.log).toEqual(["05-04T22:00 schedule"]);
  });

  it("during a run does not start the slot again", () => {
    const computer = machine(
      { ...daily, retry: { attempts: 0, interval: minuteMs } },
      "2026-05-04T21:59",
    );
    computer.durationMs = hourMs;
    computer.pass(30 * minuteMs);
    computer.powerOff(minuteMs);
    computer.pass(5 * hourMs);
    expect(computer.log).toEqual(["05-04T22:00 schedule"]);
  });
});

it("wakes the machine for slots if told to", () => {
  const computer = machine({ ...daily, wake: true }, "2026-05-04T21:00");
  expect(computer.plan.wakeMs).toBe(Date.UTC(2026, 4, 4, 20));
  computer.useRules(daily);
  expect(computer.plan).not.toHaveProperty("wakeMs");
});
