/** Places of Backstay itself, which no backup takes in: the repository, if it is local, and the caches. */
import path from "node:path";
import type { ObjectStore } from "../../storage/object-store.ts";
import { ownPlacesAt } from "../backup/own-place-records.ts";
import type { SelectionOptions } from "../backup/select/selection-options.ts";
import type { GlobalOptions } from "./global-options.ts";

/** Their paths, and the stat records of those that exist, so that they are known under other paths too. */
export function ownPlaces(
  store: ObjectStore,
  globals: GlobalOptions,
): Pick<SelectionOptions, "ownPlaces" | "ownPlaceRecords"> {
  const folders = path.isAbsolute(store.location) ? [store.location] : [];
  if (globals.cacheRoot !== undefined) folders.push(path.resolve(globals.cacheRoot));
  return ownPlacesAt(folders);
}
