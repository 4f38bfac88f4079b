/** What the settings of a bucket mean for backups in it. Pure. */
import type { PlaceFinding } from "../place-finding.ts";
import type { RetentionRule } from "../retention-lock.ts";

/** A bucket's settings as Google's JSON API gives them, as far as they matter. */
export interface GcsBucket {
  readonly storageClass?: string;
  readonly iamConfiguration?: {
    readonly uniformBucketLevelAccess?: { readonly enabled?: boolean };
  };
  readonly versioning?: { readonly enabled?: boolean };
  readonly objectRetention?: { readonly mode?: string };
  readonly retentionPolicy?: { readonly retentionPeriod?: string; readonly isLocked?: boolean };
  readonly defaultEventBasedHold?: boolean;
  readonly lifecycle?: { readonly rule?: readonly GcsLifecycleRule[] };
  readonly softDeletePolicy?: { readonly retentionDurationSeconds?: string };
  readonly autoclass?: { readonly enabled?: boolean };
}

export interface GcsLifecycleRule {
  readonly action?: { readonly type?: string; readonly storageClass?: string };
  readonly condition?: Readonly<Record<string, unknown>>;
}

/** The fields of `GcsBucket`, for the query. */
export const bucketFields =
  "storageClass,iamConfiguration,versioning,objectRetention,retentionPolicy,defaultEventBasedHold,lifecycle,softDeletePolicy,autoclass";

/** What is to be stored there, as far as the settings matter to it. */
export interface WantedObjects {
  readonly prefix: string;
  readonly retention?: RetentionRule | undefined;
  readonly storageClass?: string | undefined;
}

const secondsADay = 86_400;
const classes = new Set(["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"]);
/** Conditions that only versions meet which are no longer the live one. */
const oldVersionConditions = [
  "numNewerVersions",
  "daysSinceNoncurrentTime",
  "noncurrentTimeBefore",
];

/** Who may do what is decided for the whole bucket, or for each object too. */
export function accessFinding({ iamConfiguration }: GcsBucket): PlaceFinding {
  const check = "account-kind";
  if (iamConfiguration?.uniformBucketLevelAccess?.enabled === true)
    return { check, verdict: "good", found: "Access is decided for the whole bucket." };
  return {
    check,
    verdict: "warning",
    found: "Single objects may have access lists of their own (no uniform bucket-level access).",
    remedy:
      "Turn on uniform bucket-level access; accounts that are bound to one machine's prefix need it.",
  };
}

/** Whether what is removed stays as an older version. */
export function versioningFinding({ versioning }: GcsBucket): PlaceFinding {
  const found =
    versioning?.enabled === true
      ? "Versions are kept: what is removed goes on being stored, and charged, as an older version."
      : "Versions are not kept: what is removed is gone.";
  return { check: "versioning", verdict: "good", found };
}

/** Whether objects can be locked, and whether the bucket locks them by itself. */
export function retentionFinding(bucket: GcsBucket, { retention }: WantedObjects): PlaceFinding {
  const check = "retention-lock";
  if (bucket.defaultEventBasedHold === true)
    return {
      check,
      verdict: "bad",
      found:
        "The bucket holds every new object until somebody releases it: nothing could be removed.",
      remedy: "Turn off the default event-based hold of the bucket.",
    };
  const canLock = bucket.objectRetention?.mode === "Enabled";
  if (retention !== undefined && !canLock)
    return {
      check,
      verdict: "bad",
      found: "Objects of this bucket can't be locked, but backups in it are to be.",
      remedy: "Enable object retention for the bucket, or make another one with it.",
    };
  const seconds = Number(bucket.retentionPolicy?.retentionPeriod ?? 0);
  if (seconds > 0)
    return {
      check,
      verdict: "warning",
      found: `The bucket locks every new object for ${daysText(seconds)}, the locks of sessions too.`,
      remedy: "Take the retention policy from the bucket, and lock by the policies of machines.",
    };
  const found = canLock
    ? "Objects can be locked."
    : "Object retention is off: policies with immutable backups can't use this place.";
  return { check, verdict: "good", found };
}

/** Rules that are of other prefixes do nothing, and old versions and unfinished uploads may go. */
export function lifecycleFinding(bucket: GcsBucket, { prefix }: WantedObjects): PlaceFinding {
  const check = "lifecycle";
  const rules = (bucket.lifecycle?.rule ?? []).filter((rule) => concerns(rule, prefix));
  const ofType = (type: string): readonly GcsLifecycleRule[] =>
    rules.filter(({ action }) => action?.type === type);
  if (ofType("Delete").length > 0)
    return {
      check,
      verdict: "bad",
      found: `${countText(ofType("Delete").length)} of the bucket would remove backups.`,
      remedy:
        "Take the rule from this prefix, or bind it to versions that are not live: what Backstay keeps, only Backstay may remove.",
    };
  if (ofType("SetStorageClass").length > 0)
    return {
      check,
      verdict: "warning",
      found: `${countText(ofType("SetStorageClass").length)} of the bucket moves objects to another class.`,
      remedy: "Take the rule from this prefix, and set the storage class of packs in the policies.",
    };
  const found = "No rule of the bucket removes or moves objects here.";
  return { check, verdict: "good", found };
}

/** How long what is removed can be brought back. */
export function softDeleteFinding({ softDeletePolicy }: GcsBucket): PlaceFinding {
  const seconds = Number(softDeletePolicy?.retentionDurationSeconds ?? 0);
  const found =
    seconds > 0
      ? `What is removed can be brought back, and is charged, for ${daysText(seconds)}.`
      : "Soft delete is off: what is removed is gone.";
  return { check: "soft-delete", verdict: "good", found };
}

/** The class that objects get, and whether it is one that suits them. */
export function storageClassFinding(bucket: GcsBucket, wanted: WantedObjects): PlaceFinding {
  const check = "storage-class";
  const { storageClass = "STANDARD", autoclass } = bucket;
  if (wanted.storageClass !== undefined && !classes.has(wanted.storageClass))
    return {
      check,
      verdict: "bad",
      found: `There is no storage class ${wanted.storageClass} for packs.`,
      remedy: `Use one of ${[...classes].join(", ")}.`,
    };
  if (autoclass?.enabled === true)
    return {
      check,
      verdict: "warning",
      found:
        "Autoclass moves objects from class to class by itself, and charges for watching them.",
      remedy: "Turn Autoclass off, and set the storage class of packs in the policies.",
    };
  if (storageClass === "STANDARD")
    return { check, verdict: "good", found: "New objects are of the class STANDARD." };
  return {
    check,
    verdict: "warning",
    found: `New objects are of the class ${storageClass}, which charges for each reading and for early removal; locks and indexes are read and removed often.`,
    remedy: "Make STANDARD the bucket's class, and set the storage class of packs in the policies.",
  };
}

function concerns({ condition = {} }: GcsLifecycleRule, prefix: string): boolean {
  const isOfOldVersions =
    condition["isLive"] === false ||
    oldVersionConditions.some((name) => condition[name] !== undefined);
  if (isOfOldVersions) return false;
  const prefixes: unknown = condition["matchesPrefix"];
  if (!Array.isArray(prefixes) || prefixes.length === 0) return true;
  return prefixes.some((one) => String(one).startsWith(prefix) || prefix.startsWith(String(one)));
}

function countText(count: number): string {
  return count === 1 ? "A lifecycle rule" : `${count} lifecycle rules`;
}

function daysText(seconds: number): string {
  const days = Math.round((seconds / secondsADay) * 10) / 10;
  return `${days} ${days === 1 ? "day" : "days"}`;
}
