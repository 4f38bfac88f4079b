/** What `diskutil info -plist` says of a volume. */
import { dictionariesOf, type PropertyDictionary, parseDictionary } from "./property-list.ts";

export interface DiskInfo {
  readonly volumeId: string | undefined;
  readonly removable: boolean | undefined;
  /** Built into the machine, as far as diskutil knows. */
  readonly isInternal: boolean;
  /** The whole disk, such as `disk4`; of an APFS volume it is made up of others. */
  readonly wholeDisk: string | undefined;
  /** The partitions that an APFS container lies on, such as `disk4s2`. */
  readonly physicalStores: readonly string[];
}

/** Undefined if it is no such output. */
export function decodeDiskInfo(output: string): DiskInfo | undefined {
  const info = parseDictionary(output);
  if (info === undefined || text(info, "DeviceIdentifier") === undefined) return undefined;
  const removable =
    info.get("RemovableMediaOrExternalDevice") ??
    info.get("RemovableMedia") ??
    info.get("Ejectable");
  return {
    volumeId: text(info, "VolumeUUID") ?? text(info, "DiskUUID"),
    removable: typeof removable === "boolean" ? removable : undefined,
    isInternal: info.get("Internal") === true,
    wholeDisk: text(info, "ParentWholeDisk"),
    physicalStores: dictionariesOf(info.get("APFSPhysicalStores")).flatMap(
      (store) => text(store, "APFSPhysicalStore") ?? [],
    ),
  };
}

function text(info: PropertyDictionary, key: string): string | undefined {
  const value = info.get(key);
  return typeof value === "string" && value !== "" ? value : undefined;
}
