import { expect, it } from "vitest";
import type { SessionRecord } from "../session-record.ts";
import type { HealthReason } from "./health.ts";
import { overallHealth } from "./overall-health.ts";
import type { PolicyStatus, StatusFacts } from "./status.ts";

const nowMs = 1_000_000_000;
const maximumAgeMs = 1_000_000;

function session(changes: Partial<SessionRecord>): SessionRecord {
  return {
    id: "1".repeat(16),
    policy: "etc",
    kind: "backup",
    cause: { kind: "schedule", text: "every day" },
    attempt: 1,
    priority: 0,
    repository: "/r",
    state: "finished",
    queuedMs: nowMs,
    issues: 0,
    scripts: [],
    ...changes,
  };
}

function facts(
  policy: Partial<PolicyStatus>,
  conditions: readonly HealthReason[] = [],
): StatusFacts {
  return {
    timeMs: nowMs,
    agent: { version: "1", hostName: "h", mode: "standalone", processId: 1, startMs: 0 },
    policies: [
      {
        name: "etc",
        kind: "server",
        enabled: true,
        maximumAgeMs,
        appliedMs: nowMs,
        failuresSinceGood: 0,
        next: { reason: "" },
        destination: { place: "/r", route: "direct" },
        ...policy,
      },
    ],
    running: [],
    waiting: [],
    pauses: [],
    conditions,
  };
}

const codes = (given: StatusFacts): string[] =>
  overallHealth(given).reasons.map(({ code }) => code);

it("a backup's age counts from its start, and may reach the limit but not pass it", () => {
  const good = (startedMs: number): StatusFacts =>
    facts({ lastGood: session({ startedMs, finishedMs: nowMs }) });
  expect(overallHealth(good(nowMs - maximumAgeMs)).level).toBe("ok");
  const late = overallHealth(good(nowMs - maximumAgeMs - 1));
  expect(late.level).toBe("error");
  expect(late.reasons[0]).toMatchObject({
    code: "BACKUP_TOO_OLD",
    subject: "etc",
    sinceMs: nowMs - 1,
  });
});

it("a new policy has its time before its first backup is missed", () => {
  expect(codes(facts({ appliedMs: nowMs - maximumAgeMs }))).toEqual([]);
  expect(codes(facts({ appliedMs: nowMs - maximumAgeMs - 1 }))).toEqual(["BACKUP_TOO_OLD"]);
});

it("failures and warnings are warnings as long as there is a good backup of late", () => {
  const lastGood = session({ startedMs: nowMs });
  const failed = session({ outcome: "failure" });
  const level = (policy: Partial<PolicyStatus>): string => overallHealth(facts(policy)).level;
  expect(codes(facts({ lastGood, lastEnded: failed, failuresSinceGood: 1 }))).toEqual([
    "BACKUP_FAILED",
  ]);
  expect(level({ lastGood, lastEnded: failed, failuresSinceGood: 1 })).toBe("warning");
  const warned = session({ outcome: "warning", startedMs: nowMs });
  expect(codes(facts({ lastGood: warned, lastEnded: warned }))).toEqual(["BACKUP_INCOMPLETE"]);
  expect(level({ lastGood, lastEnded: session({ outcome: "canceled" }) })).toBe("ok");
});

it("a policy that is switched off is never late", () => {
  expect(codes(facts({ enabled: false, appliedMs: 0, failuresSinceGood: 5 }))).toEqual([]);
});

it("conditions count by their severity unless somebody knows of them, errors first", () => {
  const condition = (code: string, severity: HealthReason["severity"]): HealthReason => {
    return { code, severity, subject: "", sinceMs: 0, text: "T.", remedy: "R." };
  };
  const level = (...conditions: HealthReason[]): string =>
    overallHealth(facts({}, conditions)).level;
  expect(level(condition("A", "info"))).toBe("ok");
  expect(level(condition("A", "warning"))).toBe("warning");
  expect(level(condition("A", "warning"), condition("B", "error"))).toBe("error");
  expect(level({ ...condition("B", "error"), acknowledgedMs: 1 })).toBe("ok");
  const all = facts({ appliedMs: 0 }, [condition("A", "info"), condition("B", "warning")]);
  expect(codes(all)).toEqual(["BACKUP_TOO_OLD", "B", "A"]);
});

it("what the daemon says of a policy by itself is not said twice", () => {
  const own: HealthReason = {
    code: "BACKUP_TOO_OLD",
    subject: "etc",
    severity: "error",
    sinceMs: 0,
    text: "T.",
    remedy: "R.",
  };
  expect(overallHealth(facts({ appliedMs: 0 }, [own])).reasons).toEqual([own]);
  const other = { ...own, subject: "srv" };
  expect(overallHealth(facts({ appliedMs: 0 }, [other])).reasons).toHaveLength(2);
});
