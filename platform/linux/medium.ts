/** How the file system under a path likes to be read: its type, and the disk below it. */
import type { SourceMedium } from "../ports/source-files.ts";
import { type DiskKind, diskKind } from "./block-device.ts";
import type { EntryCalls } from "./entry-calls.ts";
import { isMemoryType, isNetworkType, isPseudoType } from "./file-system-kind.ts";
import { currentDirectory } from "./libc.ts";
import { type Mount, readMounts } from "./mount-table.ts";
import { statxDevice, statxMountId } from "./stat-decoder.ts";

const readersOf: Readonly<Record<SourceMedium["kind"], number>> = {
  rotating: 1,
  solid: 4,
  network: 8,
  pseudo: 1,
  unknown: 4,
};

/** The system's folders that tell of mounts and disks; tests bring their own. */
export interface MediumSources {
  readonly mounts: readonly Mount[];
  readonly diskKind: (device: string) => DiskKind;
}

const systemSources = (): MediumSources => ({
  mounts: readMounts(),
  diskKind: (device) => diskKind(device),
});

/**
 * The medium of the file system that holds `path`; `unknown` where the system does not tell.
 * Throws FileError if there is no such path.
 */
export function mediumOf(
  path: Uint8Array,
  entries: EntryCalls,
  sources: MediumSources = systemSources(),
): SourceMedium {
  entries.askEntry(currentDirectory, path, new Uint8Array(0));
  const mountId = statxMountId(entries.statx);
  const device = statxDevice(entries.statx);
  const mount =
    sources.mounts.find((each) => each.id === mountId) ??
    sources.mounts.findLast((each) => each.device === device);
  const kind = mount === undefined ? "unknown" : kindOfMount(mount, entries, sources);
  return { kind, readers: readersOf[kind] };
}

/** Kind of a mount by its type, then by the device it is on. */
function kindOfMount(
  mount: Mount,
  entries: EntryCalls,
  sources: MediumSources,
): SourceMedium["kind"] {
  if (isPseudoType(mount.type)) {
    return "pseudo";
  }
  if (isNetworkType(mount.type)) {
    return "network";
  }
  if (isMemoryType(mount.type)) {
    return "solid";
  }
  const device = mount.device.startsWith("0:") ? deviceOfSource(mount, entries) : mount.device;
  return device === undefined ? "unknown" : sources.diskKind(device);
}

/** btrfs and FUSE show a device number of their own making: the disk is the one that is named as source. */
function deviceOfSource(mount: Mount, entries: EntryCalls): string | undefined {
  if (!mount.source.startsWith("/")) {
    return undefined;
  }
  return entries.blockDeviceAt(Buffer.from(mount.source));
}
