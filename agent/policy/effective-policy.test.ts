/** Each value of an effective policy tells where it comes from. */
import { expect, it } from "vitest";
import { guardRails } from "../../protocol/policy/guard-rails.ts";
import { type PolicyDocument, policy } from "../../protocol/policy/policy.ts";
import { type EffectivePolicy, effectivePolicy } from "./effective-policy.ts";

const least: PolicyDocument = {
  version: 1,
  name: "documents",
  source: { paths: ["/srv/documents"] },
  destination: { repository: "/mnt/backup" },
  encryption: { password: { secret: "repository" } },
};

function effective(changes: Partial<PolicyDocument>, rails: object = {}): EffectivePolicy {
  const document = { ...least, ...changes };
  return effectivePolicy(policy.parse(document), document, guardRails.parse(rails));
}

function shown({ values }: EffectivePolicy, setting: string): object | undefined {
  return values.find((value) => value.setting === setting);
}

it("tells what the policy says from what is the default", () => {
  const found = effective({
    limits: { battery: { minimumPercent: 20 } },
    schedule: { timers: [{ every: "day", at: "22:30" }] },
  });
  expect(shown(found, "source.paths")).toEqual({
    setting: "source.paths",
    value: ["/srv/documents"],
    origin: "policy",
  });
  expect(shown(found, "limits.battery.minimumPercent")).toMatchObject({
    value: 20,
    origin: "policy",
  });
  expect(shown(found, "limits.battery.onlyOnMains")).toMatchObject({
    value: false,
    origin: "default",
  });
  expect(shown(found, "limits.duration")).toMatchObject({ value: "21d", origin: "default" });
  expect(shown(found, "schedule.timers[0].at")).toMatchObject({
    value: "22:30",
    origin: "policy",
  });
  expect(shown(found, "schedule.timers[0].days")).toMatchObject({
    value: "everyday",
    origin: "default",
  });
  expect(shown(found, "source.exclude")).toMatchObject({ value: [], origin: "default" });
  expect(shown(found, "limits.uploadPerSecond")).toBeUndefined();
});

it.each([
  ["server", 3, 30, false],
  ["workstation", 138, 10, true],
] as const)(
  "a %s has retries and days of its kind",
  (kind, attempts, minutes, countOnlyBackupDays) => {
    const found = effective({ kind, retention: {} });
    expect(found.policy.schedule.retry).toEqual({ attempts, interval: minutes * 60_000 });
    expect(found.policy.retention).toMatchObject({
      keepDays: 7,
      minRestorePoints: 3,
      countOnlyBackupDays,
    });
    expect(shown(found, "schedule.retry.attempts")).toMatchObject({
      value: attempts,
      origin: "kind",
    });
    expect(shown(found, "schedule.retry.interval")).toMatchObject({
      value: `${minutes}m`,
      origin: "kind",
    });
    expect(shown(found, "retention.countOnlyBackupDays")).toMatchObject({ origin: "kind" });
  },
);

it("what the policy says wins over its kind", () => {
  const found = effective({ schedule: { retry: { attempts: 0, interval: "5m" } } });
  expect(found.policy.schedule.retry).toEqual({ attempts: 0, interval: 300_000 });
  expect(shown(found, "schedule.retry.attempts")).toMatchObject({ value: 0, origin: "policy" });
});

it("a guard rail lowers a limit or sets it, and never raises it", () => {
  const found = effective(
    { limits: { uploadPerSecond: "10 MiB", downloadPerSecond: "1 MiB" } },
    { uploadPerSecond: "2 MiB", downloadPerSecond: "2 MiB", memory: "512 MiB" },
  );
  expect(found.policy.limits).toMatchObject({
    uploadPerSecond: 2 ** 21,
    downloadPerSecond: 2 ** 20,
    memory: 2 ** 29,
  });
  expect(shown(found, "limits.uploadPerSecond")).toEqual({
    setting: "limits.uploadPerSecond",
    value: "2 MiB",
    origin: "guard-rail",
    asked: "10 MiB",
  });
  expect(shown(found, "limits.downloadPerSecond")).toMatchObject({
    value: "1 MiB",
    origin: "policy",
  });
  expect(shown(found, "limits.memory")).toEqual({
    setting: "limits.memory",
    value: "512 MiB",
    origin: "guard-rail",
  });
});
