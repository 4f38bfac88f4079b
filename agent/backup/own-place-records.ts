/** Places of Backstay itself, which no backup takes in, as they are told to a selection. */
import { openSourceFiles } from "../../platform/open-source-files.ts";
import { FileError } from "../../platform/ports/source-files.ts";
import { statRecordBytes } from "../../platform/ports/stat-record.ts";
import type { SelectionOptions } from "./select/selection-options.ts";

/** Absolute paths, and the stat records of those that exist, so that they are known under other paths too. */
export function ownPlacesAt(
  paths: readonly string[],
): Pick<SelectionOptions, "ownPlaces" | "ownPlaceRecords"> {
  const ownPlaces = paths.map((place) => new Uint8Array(Buffer.from(place)));
  const files = openSourceFiles();
  const ownPlaceRecords: Uint8Array[] = [];
  for (const place of ownPlaces) {
    const record = new Uint8Array(statRecordBytes);
    try {
      files.stat(place, record, 0);
      ownPlaceRecords.push(record);
    } catch (error) {
      // A cache that does not exist yet.
      if (!(error instanceof FileError)) throw error;
    }
  }
  return { ownPlaces, ownPlaceRecords };
}
