/** What the rules of a bucket do to what lies below a prefix: whatever removes or moves objects by itself breaks backups. Pure. */
import type { LifecycleRule } from "@aws-sdk/client-s3";
import type { PlaceFinding } from "../place-finding.ts";

const check = "lifecycle";
/** Classes whose objects must be restored before they can be read. */
const archives = new Set(["GLACIER", "DEEP_ARCHIVE"]);

/** Rules that are off, or of other prefixes, do nothing; old versions and unfinished uploads may go. */
export function lifecycleFinding(rules: readonly LifecycleRule[], prefix: string): PlaceFinding {
  const active = rules.filter((rule) => rule.Status === "Enabled" && concerns(rule, prefix));
  const removing = active.filter(
    ({ Expiration }) => Expiration?.Days !== undefined || Expiration?.Date !== undefined,
  );
  const moving = active.filter(({ Transitions = [] }) => Transitions.length > 0);
  const archiving = moving.filter(({ Transitions = [] }) =>
    Transitions.some(({ StorageClass = "" }) => archives.has(StorageClass)),
  );
  if (removing.length > 0 || archiving.length > 0)
    return {
      check,
      verdict: "bad",
      found: `${namesOf([...new Set([...removing, ...archiving])])} of the bucket would remove backups, or archive them.`,
      remedy:
        "Take the rule from this prefix: what Backstay keeps, only Backstay may remove or move.",
    };
  if (moving.length > 0)
    return {
      check,
      verdict: "warning",
      found: `${namesOf(moving)} of the bucket moves objects to another class.`,
      remedy: "Take the rule from this prefix, and set the storage class of packs in the policies.",
    };
  return {
    check,
    verdict: "good",
    found: "No rule of the bucket removes or moves objects here.",
  };
}

function concerns({ Filter, Prefix }: LifecycleRule, prefix: string): boolean {
  const ofRule = Filter?.Prefix ?? Filter?.And?.Prefix ?? Prefix ?? "";
  return ofRule.startsWith(prefix) || prefix.startsWith(ofRule);
}

function namesOf(rules: readonly LifecycleRule[]): string {
  const names = rules.map(({ ID }) => `"${ID ?? "without a name"}"`).join(", ");
  return `${rules.length === 1 ? "The rule" : "The rules"} ${names}`;
}
