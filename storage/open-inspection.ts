/** Turns a repository's address into what can be found out about its place. */
import { openAzureInspection } from "./azure/azure-inspection.ts";
import { openGcsInspection } from "./gcs/gcs-inspection.ts";
import { type OpenStoreOptions, openStore } from "./open-store.ts";
import type { PlaceInspection } from "./place-finding.ts";
import { openS3Inspection } from "./s3/s3-inspection.ts";
import { storeAddress } from "./store-address.ts";
import { StoreInspection } from "./store-inspection.ts";

/** Throws as `openStore` does. Nothing is sent yet. */
export function openInspection(address: string, options: OpenStoreOptions = {}): PlaceInspection {
  const { scheme, place } = storeAddress(address);
  const { environment = {} } = options;
  if (scheme === "s3") return openS3Inspection(place, { ...options, environment });
  if (scheme === "azure") return openAzureInspection(place, { ...options, environment });
  if (scheme === "gs") return openGcsInspection(place, { ...options, environment });
  return new StoreInspection(openStore(address, options));
}
