/** What differs between two meanings of a policy, value by value. */
import { isDeepStrictEqual } from "node:util";
import type { EffectiveValue } from "./effective-policy.ts";

export interface ValueChange {
  readonly setting: string;
  /** In the form in which it is written; undefined if it was absent. */
  readonly before: unknown;
  /** Undefined if it is absent now. */
  readonly after: unknown;
}

/** In the order of the values after; those that are gone come last. */
export function effectiveChanges(
  before: readonly EffectiveValue[],
  after: readonly EffectiveValue[],
): ValueChange[] {
  const old = new Map(before.map(({ setting, value }) => [setting, value]));
  const fresh = new Set(after.map(({ setting }) => setting));
  return [
    ...after
      .filter(({ setting, value }) => !isDeepStrictEqual(old.get(setting), value))
      .map(({ setting, value }) => ({ setting, before: old.get(setting), after: value })),
    ...before
      .filter(({ setting }) => !fresh.has(setting))
      .map(({ setting, value }) => ({ setting, before: value, after: undefined })),
  ];
}
