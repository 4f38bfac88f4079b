/** Places of Backstay itself, which no backup takes in: the repository, if it is local, and the caches. */
import path from "node:path";
import { openSourceFiles } from "../../platform/open-source-files.ts";
import { FileError } from "../../platform/ports/source-files.ts";
import { statRecordBytes } from "../../platform/ports/stat-record.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import type { SelectionOptions } from "../backup/select/selection-options.ts";
import type { GlobalOptions } from "./global-options.ts";

/** Their paths, and the stat records of those that exist, so that they are known under other paths too. */
export function ownPlaces(
  store: ObjectStore,
  globals: GlobalOptions,
): Pick<SelectionOptions, "ownPlaces" | "ownPlaceRecords"> {
  const folders = path.isAbsolute(store.location) ? [store.location] : [];
  if (globals.cacheRoot !== undefined) folders.push(path.resolve(globals.cacheRoot));
  const places = folders.map((folder) => new Uint8Array(Buffer.from(folder)));
  const files = openSourceFiles();
  const records: Uint8Array[] = [];
  for (const place of places) {
    const record = new Uint8Array(statRecordBytes);
    try {
      files.stat(place, record, 0);
      records.push(record);
    } catch (error) {
      // A cache that does not exist yet.
      if (!(error instanceof FileError)) throw error;
    }
  }
  return { ownPlaces: places, ownPlaceRecords: records };
}
