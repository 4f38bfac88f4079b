import { beforeEach, describe, expect, it } from "vitest";
import { FakeClock } from "../../platform/fake/fake-clock.ts";
import { FakePower } from "../../platform/fake/fake-power.ts";
import { FakeRemovableMedia } from "../../platform/fake/fake-removable-media.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type ScheduleRules, scheduleRules } from "../../protocol/policy/schedule-rules.ts";
import type { SessionOutcome, SessionRecord } from "../../protocol/session-record.ts";
import { AfterRun } from "./after-run.ts";

const startMs = Date.UTC(2026, 0, 1);
let power: FakePower;
let media: FakeRemovableMedia;
let isBusy: boolean;
let told: string[];
let failures: string[];
let after: AfterRun;
let whenPlanned: () => void;

beforeEach(() => {
  power = new FakePower();
  media = new FakeRemovableMedia();
  isBusy = false;
  told = [];
  failures = [];
  whenPlanned = () => undefined;
  after = new AfterRun({
    power,
    media,
    clock: new FakeClock(startMs),
    isBusy: () => isBusy,
    onPlanned: (planned) => {
      told.push(planned === undefined ? "over" : `${planned.action} +${planned.atMs - startMs}`);
      if (planned !== undefined) whenPlanned();
    },
    onFailure: (policy, error) =>
      failures.push(`${policy} ${error instanceof BackstayError ? error.code : String(error)}`),
  });
});

function rules(afterwards: object): ScheduleRules {
  return scheduleRules.parse({ afterwards });
}

function session(
  kind: SessionRecord["cause"]["kind"],
  outcome: SessionOutcome = "success",
): SessionRecord {
  return {
    id: "0123456789abcdef",
    policy: "files",
    kind: "backup",
    cause: { kind, text: kind },
    attempt: 1,
    priority: 0,
    repository: "/backup",
    state: "finished",
    queuedMs: startMs,
    outcome,
    issues: 0,
    scripts: [],
  };
}

/** Until everything that was begun has ended, virtual time included. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe("the machine", () => {
  it.each([
    ["schedule", "success"],
    ["missed", "warning"],
    ["retry", "success"],
    ["after-policy", "success"],
  ] as const)("is shut down after a run by %s that ended with %s", async (kind, outcome) => {
    after.sessionFinished(session(kind, outcome), rules({ action: "shut-down", delay: "90s" }));
    await settled();
    expect(power.performed).toEqual(["shut-down"]);
    expect(told).toEqual(["shut-down +90000", "over"]);
  });

  it.each([
    ["manual", "success"],
    ["event", "success"],
    ["schedule", "failure"],
    ["schedule", "canceled"],
    ["schedule", "interrupted"],
  ] as const)("keeps running after a run by %s that ended with %s", async (kind, outcome) => {
    after.sessionFinished(session(kind, outcome), rules({ action: "sleep" }));
    await settled();
    expect(power.performed).toEqual([]);
    expect(told).toEqual([]);
  });

  it("keeps running if the policy says nothing", async () => {
    after.sessionFinished(session("schedule"), rules({}));
    await settled();
    expect(power.performed).toEqual([]);
  });

  it("keeps running if somebody cancels in time", async () => {
    whenPlanned = () => {
      expect(after.planned).toMatchObject({ policy: "files", action: "hibernate" });
      expect(after.cancel()).toBe(true);
    };
    after.sessionFinished(session("schedule"), rules({ action: "hibernate" }));
    await settled();
    expect(power.performed).toEqual([]);
    expect(told.at(-1)).toBe("over");
    expect(after.planned).toBeUndefined();
    expect(after.cancel()).toBe(false);
  });

  it("waits for other sessions, also for one that begins meanwhile", async () => {
    isBusy = true;
    after.sessionFinished(session("schedule"), rules({ action: "sleep" }));
    await settled();
    expect(told).toEqual([]);
    isBusy = false;
    whenPlanned = () => {
      isBusy = true;
    };
    after.sessionFinished(session("manual"), rules({}));
    await settled();
    expect(power.performed).toEqual([]);
    isBusy = false;
    whenPlanned = () => undefined;
    after.sessionFinished(session("event", "failure"), rules({}));
    await settled();
    expect(power.performed).toEqual(["sleep"]);
  });

  it("that can't do it keeps running, and says so once", async () => {
    power.able = { available: false, reason: "no swap" };
    after.sessionFinished(session("schedule"), rules({ action: "hibernate" }));
    await settled();
    after.sessionFinished(session("manual"), rules({}));
    await settled();
    expect(failures).toEqual(["files POWER_ACTION_FAILED"]);
    expect(told).toEqual([]);
  });

  it("is left alone by a daemon that ends", async () => {
    whenPlanned = () => void after.stop();
    after.sessionFinished(session("schedule"), rules({ action: "shut-down" }));
    await settled();
    expect(power.performed).toEqual([]);
  });
});

describe("the drive of the target", () => {
  it("is ejected after a good run that an event started, before the machine is shut down", async () => {
    isBusy = true;
    after.sessionFinished(session("event"), rules({ eject: true }), "/media/disk/backup");
    after.sessionFinished(session("schedule"), rules({ action: "shut-down" }));
    isBusy = false;
    await settled();
    expect(media.ejected).toEqual(["/media/disk/backup"]);
    expect(power.performed).toEqual(["shut-down"]);
  });

  it.each([
    ["event", "failure"],
    ["schedule", "success"],
    ["manual", "success"],
  ] as const)("stays after a run by %s that ended with %s", async (kind, outcome) => {
    after.sessionFinished(session(kind, outcome), rules({ eject: true }), "/media/disk/backup");
    await settled();
    expect(media.ejected).toEqual([]);
  });

  it("that somebody uses is told", async () => {
    media.failure = new BackstayError("EJECT_FAILED", { path: "/media/disk", holders: "vi" });
    after.sessionFinished(session("event"), rules({ eject: true }), "/media/disk/backup");
    await settled();
    expect(failures).toEqual(["files EJECT_FAILED"]);
  });
});
