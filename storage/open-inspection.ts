/** Turns a repository's address into what can be found out about its place. */
import { type OpenStoreOptions, openStore } from "./open-store.ts";
import type { PlaceInspection } from "./place-finding.ts";
import { StoreInspection } from "./store-inspection.ts";

/** Throws as `openStore` does. Nothing is sent yet. */
export function openInspection(address: string, options: OpenStoreOptions = {}): PlaceInspection {
  return new StoreInspection(openStore(address, options));
}
