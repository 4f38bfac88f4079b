/** What is found out about a place in a bucket of Google Cloud Storage. Nothing of the bucket is changed. */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { clockFinding } from "../http/clock-finding.ts";
import { failed, ownObjectFindings } from "../own-object-findings.ts";
import type { PlaceCheck, PlaceFinding, PlaceInspection } from "../place-finding.ts";
import { type GcsPlace, gcsPlace } from "./gcs-address.ts";
import {
  accessFinding,
  bucketFields,
  type GcsBucket,
  lifecycleFinding,
  retentionFinding,
  softDeleteFinding,
  storageClassFinding,
  versioningFinding,
} from "./gcs-bucket-findings.ts";
import { GcsRequests } from "./gcs-requests.ts";
import { GcsStore, type GcsStoreOptions } from "./gcs-store.ts";

/** `place` is what follows `gs:`. USAGE if it, or a setting of the environment, can't be used. */
export function openGcsInspection(place: string, options: GcsStoreOptions): PlaceInspection {
  return new GcsInspection(place, options);
}

class GcsInspection implements PlaceInspection {
  readonly #place: GcsPlace;
  readonly #options: GcsStoreOptions;
  readonly #requests: GcsRequests;
  readonly #store: GcsStore;

  constructor(place: string, options: GcsStoreOptions) {
    this.#place = gcsPlace(place);
    this.#options = options;
    this.#requests = new GcsRequests({ ...options, location: this.#place.location });
    // Its object is to be removed again.
    this.#store = GcsStore.open(place, { ...options, retention: undefined });
  }

  async *findings(signal: AbortSignal): AsyncGenerator<PlaceFinding> {
    const { bucket, location } = this.#place;
    let settings: GcsBucket | undefined;
    try {
      settings = await this.#bucket(signal);
    } catch (error) {
      yield isBackstayError(error, "STORE_MISSING")
        ? {
            check: "reach",
            verdict: "bad",
            found: `There is no bucket ${bucket}.`,
            remedy:
              "Make it, with object retention if backups shall be locked, or correct its name.",
          }
        : failed("reach", error, signal);
      return;
    }
    yield { check: "reach", verdict: "good", found: `${location} answers.` };
    yield await clockFinding(this.#requests.place, Date.now, signal);
    const wanted = { ...this.#options, prefix: this.#place.prefix };
    const known = (check: PlaceCheck, find: (bucket: GcsBucket) => PlaceFinding): PlaceFinding =>
      settings === undefined ? notAllowed(check) : find(settings);
    yield known("account-kind", accessFinding);
    yield* ownObjectFindings(this.#store, signal);
    yield known("versioning", versioningFinding);
    yield known("retention-lock", (found) => retentionFinding(found, wanted));
    yield known("lifecycle", (found) => lifecycleFinding(found, wanted));
    yield known("soft-delete", softDeleteFinding);
    yield known("storage-class", (found) => storageClassFinding(found, wanted));
  }

  async close(): Promise<void> {
    await this.#requests.close();
    await this.#store.close();
  }

  /** The bucket's settings; undefined if this account may not look at them. */
  async #bucket(signal: AbortSignal): Promise<GcsBucket | undefined> {
    const request = {
      kind: "other",
      method: "GET",
      path: `/storage/v1/b/${this.#place.bucket}?fields=${bucketFields}`,
      context: {},
    } as const;
    return await this.#requests.exchange(request, signal, async (answer) => {
      if (answer.status === 200) return await this.#requests.document(answer);
      if (answer.status !== 403) throw await answer.refusal();
      const refusal = await answer.refusal();
      if (refusal.code !== "STORE_DENIED") throw refusal;
      return undefined;
    });
  }
}

function notAllowed(check: PlaceCheck): PlaceFinding {
  return {
    check,
    verdict: "unknown",
    found: "This account may not look at the settings of the bucket.",
    remedy:
      "Look at the bucket yourself, or test with an account that has storage.buckets.get (roles/storage.legacyBucketReader).",
  };
}
