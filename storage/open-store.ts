/** Turns a repository's address, as people write it, into the store it names. */
import type { DurabilityWarning } from "../platform/ports/durable-files.ts";
import { BackstayError } from "../protocol/backstay-error.ts";
import type { AccountSource } from "./account-source.ts";
import { openAzureStore } from "./azure/azure-store.ts";
import { GcsStore } from "./gcs/gcs-store.ts";
import { LocalStore } from "./local/local-store.ts";
import type { ObjectStore } from "./object-store.ts";
import type { RequestCounts } from "./request-counts.ts";
import { restPlace } from "./rest/rest-address.ts";
import { RestStore } from "./rest/rest-store.ts";
import type { RetentionRule } from "./retention-lock.ts";
import { openS3Store } from "./s3/s3-store.ts";
import { assertPossible } from "./storage-class.ts";
import { storeAddress } from "./store-address.ts";

export interface OpenStoreOptions {
  /** Where the credentials, proxies and authorities of remote stores are, under restic's names; a local store needs none. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Told when a store cannot keep its promise of durability. */
  readonly warn?: (warning: DurabilityWarning) => void;
  /** Gives the account in place of the environment's, for one that ends. */
  readonly accounts?: AccountSource | undefined;
  /** Where requests of remote stores are counted. */
  readonly counts?: RequestCounts | undefined;
  /** How new objects are locked; absent: they are not. */
  readonly retention?: RetentionRule | undefined;
  /** Of new packs, in the storage's own word (`GLACIER_IR`, `Cool`, `NEARLINE`); everything else stays in the place's own. */
  readonly storageClass?: string | undefined;
}

/**
 * Opens the store that `address` names: a path, `local:` and a path, `rest:` and the URL of a REST server,
 * `s3:https://host/bucket/prefix`, `azure:container:/prefix`, or `gs:bucket:/prefix`. Nothing is read or made yet, and
 * nothing sent.
 *
 * Any other word before a colon names a store that is not built in: STORE_UNSUPPORTED. USAGE if the address is empty, is no
 * address of its kind, or the environment lacks what its kind needs. STORE_LACKS if its kind knows no locks of objects, or
 * not the storage class, that the options ask for. A REST server is known to lack locks only when it has answered.
 */
export function openStore(address: string, options: OpenStoreOptions = {}): ObjectStore {
  const { warn, environment = {}, counts, retention } = options;
  const { scheme, place } = storeAddress(address);
  assertPossible(scheme, options);
  if (scheme === "rest") return new RestStore(restPlace(place, environment), { counts, retention });
  if (scheme === "s3") return openS3Store(place, { ...options, environment });
  if (scheme === "azure") return openAzureStore(place, { ...options, environment });
  if (scheme === "gs") return GcsStore.open(place, { ...options, environment });
  // The rest of the address may hold a password, so only the kind is told.
  if (scheme !== "local") throw new BackstayError("STORE_UNSUPPORTED", { kind: scheme });
  if (place === "")
    throw new BackstayError("USAGE", { problem: "the repository's address is empty" });
  return new LocalStore(place, warn === undefined ? {} : { warn });
}
