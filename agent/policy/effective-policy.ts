/** What a policy means on this machine, and where each of its values comes from. */
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import type { Policy } from "../../protocol/policy/policy.ts";
import type { ScheduleRules } from "../../protocol/policy/schedule-rules.ts";
import { type SettingPath, settingText, valueAt } from "../../protocol/policy/setting-path.ts";
import { normalisedDocument } from "./policy-fingerprint.ts";

/** `default`: of every policy; `kind`: of every policy of its kind. */
export type ValueOrigin = "default" | "kind" | "policy" | "guard-rail";

export interface EffectiveValue {
  /** As people read it: `schedule.timers[0].at`. */
  readonly setting: string;
  /** In the form in which it is written. */
  readonly value: unknown;
  readonly origin: ValueOrigin;
  /** What the policy asked for, where a guard rail says otherwise. */
  readonly asked?: unknown;
}

/** A policy in which nothing depends on its kind any more. */
export type ResolvedPolicy = Policy & {
  readonly schedule: ScheduleRules & { readonly retry: Retry };
};

export interface Retry {
  readonly attempts: number;
  /** Milliseconds. */
  readonly interval: number;
}

export interface EffectivePolicy {
  readonly policy: ResolvedPolicy;
  /** In the order of the schema; settings that are absent and have no default are left out. */
  readonly values: readonly EffectiveValue[];
}

interface KindDefaults {
  readonly retry: Retry;
  readonly countOnlyBackupDays: boolean;
}

const minuteMs = 60_000;

const kindDefaults: Readonly<Record<Policy["kind"], KindDefaults>> = {
  server: { retry: { attempts: 3, interval: 30 * minuteMs }, countOnlyBackupDays: false },
  // Every ten minutes for 23 hours.
  workstation: { retry: { attempts: 138, interval: 10 * minuteMs }, countOnlyBackupDays: true },
};

const limitedByRails = ["uploadPerSecond", "downloadPerSecond", "memory"] as const;

/** `document` is the policy as it was written, without defaults. */
export function effectivePolicy(
  given: Policy,
  document: unknown,
  rails: GuardRails,
): EffectivePolicy {
  const ofKind = kindDefaults[given.kind];
  const { retention, schedule } = given;
  const asked: ResolvedPolicy = {
    ...given,
    ...(retention === undefined
      ? {}
      : {
          retention: {
            ...retention,
            countOnlyBackupDays: retention.countOnlyBackupDays ?? ofKind.countOnlyBackupDays,
          },
        }),
    schedule: { ...schedule, retry: schedule.retry ?? ofKind.retry },
  };
  const limited = new Map<string, number>();
  for (const name of limitedByRails) {
    const most = rails[name];
    if (most !== undefined && most < (asked.limits[name] ?? Infinity)) limited.set(name, most);
  }
  const policy = { ...asked, limits: { ...asked.limits, ...Object.fromEntries(limited) } };
  const askedDocument = normalisedDocument(asked);
  const values = leaves(normalisedDocument(policy), []).map(({ path, value }): EffectiveValue => {
    const setting = settingText(path);
    if (path[0] === "limits" && limited.has(String(path[1]))) {
      const before = valueAt(askedDocument, path);
      return {
        setting,
        value,
        origin: "guard-rail",
        ...(before === undefined ? {} : { asked: before }),
      };
    }
    return { setting, value, origin: originOf(path, given, document) };
  });
  return { policy, values };
}

function originOf(path: SettingPath, given: Policy, document: unknown): ValueOrigin {
  if (valueAt(document, path) !== undefined) return "policy";
  return valueAt(given, path) === undefined ? "kind" : "default";
}

/** The values that are no groups; a list of plain values is one value. */
function leaves(value: unknown, path: SettingPath): { path: SettingPath; value: unknown }[] {
  if (typeof value !== "object" || value === null)
    return value === undefined ? [] : [{ path, value }];
  if (!Array.isArray(value))
    return Object.entries(value).flatMap(([name, part]) => leaves(part, [...path, name]));
  if (value.length === 0 || value.some((part) => typeof part !== "object"))
    return [{ path, value }];
  return value.flatMap((part, index) => leaves(part, [...path, index]));
}
