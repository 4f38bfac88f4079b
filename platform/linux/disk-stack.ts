/** The disk under a block device, through partitions and the layers of device mapper and RAID, as sysfs shows it. */
import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { namesIn, readValue } from "./kernel-values.ts";

/** Devices stacked deeper than this are not followed. */
const deepestStack = 8;

/** A whole disk, as its folder in sysfs with links resolved: `/sys/devices/…/usb1/1-2/…/block/sdb`. */
type DiskFolder = string;

/**
 * The disks that hold device `device` (`major:minor`): several for RAID, none for what has no device or no sysfs.
 * `sysfs` is another root for tests.
 */
export function disksUnder(device: string, sysfs: string = "/sys"): readonly DiskFolder[] {
  try {
    return [...new Set(disksOf(realpathSync(join(sysfs, "dev/block", device)), deepestStack))];
  } catch {
    return [];
  }
}

function disksOf(folder: string, depth: number): DiskFolder[] {
  // A partition lies in the folder of its disk, which knows the layers below.
  const disk = readValue(join(folder, "partition")) === undefined ? folder : dirname(folder);
  const below = namesIn(join(disk, "slaves"));
  if (below.length === 0 || depth === 0) return [disk];
  return below.flatMap((name) => disksOf(realpathSync(join(disk, "slaves", name)), depth - 1));
}

export interface StackedDevice {
  /** Its name in /dev. */
  readonly name: string;
  /** `major:minor`. */
  readonly device: string;
}

/** A disk, its partitions, and everything that is built on them. */
export function devicesOn(disk: DiskFolder): readonly StackedDevice[] {
  return devicesAt(disk, deepestStack);
}

function devicesAt(folder: string, depth: number): StackedDevice[] {
  const device = readValue(join(folder, "dev"));
  if (device === undefined) return [];
  const own = { name: basename(folder).replaceAll("!", "/"), device };
  if (depth === 0) return [own];
  const parts = namesIn(folder)
    .map((name) => join(folder, name))
    .filter((part) => readValue(join(part, "partition")) !== undefined);
  const above = namesIn(join(folder, "holders")).map((name) =>
    realpathSync(join(folder, "holders", name)),
  );
  return [own, ...[...parts, ...above].flatMap((each) => devicesAt(each, depth - 1))];
}

/** Whether people unplug a disk like this: it says so itself, or hangs on USB, or is a memory card. */
export function isRemovableDisk(disk: DiskFolder): boolean {
  if (readValue(join(disk, "removable")) === "1") return true;
  return /\/usb\d+\//.test(disk) || readValue(join(disk, "device/type")) === "SD";
}
