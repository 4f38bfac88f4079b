/** What is found out about a place in a bucket of an S3 server. Nothing of the bucket is changed. */
import { type BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { clockFinding } from "../http/clock-finding.ts";
import type { ObjectStore } from "../object-store.ts";
import { failed, ownObjectFindings } from "../own-object-findings.ts";
import type { PlaceCheck, PlaceFinding, PlaceInspection } from "../place-finding.ts";
import { s3Place } from "./s3-address.ts";
import { S3Connection } from "./s3-connection.ts";
import { lifecycleFinding } from "./s3-lifecycle-finding.ts";
import { openS3Store, type S3StoreOptions } from "./s3-store.ts";

/** Classes whose objects must be restored before they can be read. */
const archives = new Set(["GLACIER", "DEEP_ARCHIVE"]);
const sampledObjects = 100;

/** `place` is what follows `s3:`. USAGE and STORE_UNSUPPORTED as `openS3Store`. */
export function openS3Inspection(place: string, options: S3StoreOptions): PlaceInspection {
  const connection = new S3Connection(s3Place(place, options.environment), options);
  // Its object is to be removed again.
  const store = openS3Store(place, { ...options, retention: undefined });
  return new S3Inspection(store, connection, options.retention !== undefined);
}

class S3Inspection implements PlaceInspection {
  readonly #store: ObjectStore;
  readonly #connection: S3Connection;
  readonly #wantsLocks: boolean;

  constructor(store: ObjectStore, connection: S3Connection, wantsLocks: boolean) {
    this.#store = store;
    this.#connection = connection;
    this.#wantsLocks = wantsLocks;
  }

  async *findings(signal: AbortSignal): AsyncGenerator<PlaceFinding> {
    const reach = await this.#reach(signal);
    yield reach;
    if (reach.verdict === "bad") return;
    const { place } = this.#connection;
    yield await clockFinding(place, Date.now, signal);
    const { vendor, region } = place;
    const found = `${vendor.name}, signed for the region ${region}.`;
    yield { check: "account-kind", verdict: "good", found };
    yield* ownObjectFindings(this.#store, signal);
    yield await this.#versioning(signal);
    yield await this.#retentionLock(signal);
    yield await this.#lifecycle(signal);
    yield await this.#storageClass(signal);
  }

  async close(): Promise<void> {
    await this.#store.close();
    await this.#connection.close();
  }

  async #reach(signal: AbortSignal): Promise<PlaceFinding> {
    const { bucket, location } = this.#connection.place;
    try {
      await this.#connection.send(
        ({ HeadBucketCommand }) => new HeadBucketCommand({ Bucket: bucket }),
        {},
        signal,
      );
    } catch (error) {
      const isMissing =
        isBackstayError(error, "STORE_NOT_FOUND") || isBackstayError(error, "STORE_MISSING");
      if (isMissing)
        return {
          check: "reach",
          verdict: "bad",
          found: `There is no bucket ${bucket}.`,
          remedy: "Make it, with object lock if backups shall be locked, or correct its name.",
        };
      // Accounts of a prefix may not ask for the bucket.
      if (!isBackstayError(error, "STORE_DENIED")) return failed("reach", error, signal);
    }
    return { check: "reach", verdict: "good", found: `${location} answers.` };
  }

  async #versioning(signal: AbortSignal): Promise<PlaceFinding> {
    const check = "versioning";
    return await this.#asked(check, "s3:GetBucketVersioning", signal, async () => {
      const { Status } = await this.#connection.send(
        ({ GetBucketVersioningCommand }) => new GetBucketVersioningCommand(this.#bucket),
        {},
        signal,
      );
      return {
        check,
        verdict: "good",
        found:
          Status === "Enabled"
            ? "Versions are kept: what is removed goes on being stored, and charged, as an older version."
            : "Versions are not kept: what is removed is gone.",
      };
    });
  }

  async #retentionLock(signal: AbortSignal): Promise<PlaceFinding> {
    const check = "retention-lock";
    const off: PlaceFinding = {
      check,
      ...(this.#wantsLocks
        ? { verdict: "bad", remedy: "Take a bucket that was made with object lock." }
        : { verdict: "good" }),
      found: "Object lock is off: policies with immutable backups can't use this place.",
    };
    return await this.#asked(check, "s3:GetBucketObjectLockConfiguration", signal, async () => {
      const said = await ifThere(
        this.#connection.send(
          ({ GetObjectLockConfigurationCommand }) =>
            new GetObjectLockConfigurationCommand(this.#bucket),
          {},
          signal,
        ),
      );
      const { ObjectLockEnabled, Rule } = said?.ObjectLockConfiguration ?? {};
      if (ObjectLockEnabled !== "Enabled") return off;
      const kept = Rule?.DefaultRetention;
      if (kept === undefined) return { check, verdict: "good", found: "Objects can be locked." };
      const time = kept.Days === undefined ? `${kept.Years} years` : `${kept.Days} days`;
      return {
        check,
        verdict: "warning",
        found: `The bucket locks every new object for ${time} (${kept.Mode}), the locks of sessions too.`,
        remedy: "Take the default retention from the bucket, and set it in the policies.",
      };
    });
  }

  async #lifecycle(signal: AbortSignal): Promise<PlaceFinding> {
    const check = "lifecycle";
    return await this.#asked(check, "s3:GetLifecycleConfiguration", signal, async () => {
      const said = await ifThere(
        this.#connection.send(
          ({ GetBucketLifecycleConfigurationCommand }) =>
            new GetBucketLifecycleConfigurationCommand(this.#bucket),
          {},
          signal,
        ),
      );
      return lifecycleFinding(said?.Rules ?? [], this.#connection.place.prefix);
    });
  }

  /** By what is there: new objects get the class that the policy says, or the bucket's usual one. */
  async #storageClass(signal: AbortSignal): Promise<PlaceFinding> {
    const check = "storage-class";
    return await this.#asked(check, "s3:ListBucket", signal, async () => {
      const { prefix } = this.#connection.place;
      const { Contents = [] } = await this.#connection.send(
        ({ ListObjectsV2Command }) =>
          new ListObjectsV2Command({ ...this.#bucket, Prefix: prefix, MaxKeys: sampledObjects }),
        {},
        signal,
      );
      const classes = new Set(Contents.map(({ StorageClass }) => StorageClass ?? "STANDARD"));
      if (classes.size === 0) return { check, verdict: "good", found: "Nothing is stored yet." };
      const found = `Stored as ${[...classes].join(", ")}.`;
      if (![...classes].some((each) => archives.has(each)))
        return { check, verdict: "good", found };
      return {
        check,
        verdict: "warning",
        found,
        remedy: "What is archived must be restored at the provider before anything can read it.",
      };
    });
  }

  get #bucket(): { readonly Bucket: string } {
    return { Bucket: this.#connection.place.bucket };
  }

  /** What the account may not ask, or the server does not know, stays unknown. */
  async #asked(
    check: PlaceCheck,
    right: string,
    signal: AbortSignal,
    ask: () => Promise<PlaceFinding>,
  ): Promise<PlaceFinding> {
    try {
      return await ask();
    } catch (error) {
      signal.throwIfAborted();
      if (!isBackstayError(error)) throw error;
      return unknownFinding(check, right, error);
    }
  }
}

/** Undefined if a bucket has no such setting. */
async function ifThere<Said>(asked: Promise<Said>): Promise<Said | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isBackstayError(error, "STORE_NOT_FOUND")) return undefined;
    throw error;
  }
}

function unknownFinding(check: PlaceCheck, right: string, error: BackstayError): PlaceFinding {
  return {
    check,
    verdict: "unknown",
    found: `The account may not ask, or the server does not say: ${error.message}`,
    remedy: `Look at the bucket yourself, or test with an account that has ${right}.`,
  };
}
