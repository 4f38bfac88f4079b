/** What kind of disk is behind a block device, as far as sysfs tells. */
import { readlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { namesIn, readValue } from "./kernel-values.ts";

export type DiskKind = "rotating" | "solid" | "network" | "unknown";

/** Devices stacked deeper than this are not followed. */
const deepestStack = 8;

/** Disks of virtual machines say that they rotate, whatever they are made of. */
const virtualNames = /^(vd|xvd|ubd|hv)/;
const virtualVendors =
  /qemu|vbox|virtual|vmware|msft|xen|google|amazon|nutanix|virtio|bhyve|prlsfs|parallels/i;
const networkNames = /^(nbd|rbd|drbd|aoe|etherd)/;

/**
 * Kind of the disk under device `device` (`major:minor`), through partitions and the layers of device mapper and RAID.
 * A stack with one rotating disk rotates. `sysfs` is another root for tests.
 */
export function diskKind(device: string, sysfs: string = "/sys"): DiskKind {
  try {
    const link = readlinkSync(join(sysfs, "dev/block", device));
    return kindOfDirectory(join(sysfs, "dev/block", link), deepestStack, sysfs);
  } catch {
    return "unknown";
  }
}

function kindOfDirectory(directory: string, depth: number, sysfs: string): DiskKind {
  // A partition lies in the folder of its disk, which has the queue.
  const disk =
    readValue(join(directory, "partition")) === undefined ? directory : dirname(directory);
  const name = basename(disk);
  if (networkNames.test(name)) {
    return "network";
  }
  const below = namesIn(join(disk, "slaves"));
  if (below.length > 0 && depth > 0) {
    const kinds = below.map((slave) => kindOfSlave(disk, slave, depth - 1, sysfs));
    return mostLimiting(kinds);
  }
  const rotational = readValue(join(disk, "queue/rotational"));
  if (rotational === "0") {
    return "solid";
  }
  if (rotational !== "1" || virtualNames.test(name) || isVirtual(disk)) {
    return "unknown";
  }
  return "rotating";
}

function kindOfSlave(disk: string, slave: string, depth: number, sysfs: string): DiskKind {
  try {
    const link = readlinkSync(join(disk, "slaves", slave));
    return kindOfDirectory(join(disk, "slaves", link), depth, sysfs);
  } catch {
    return "unknown";
  }
}

function mostLimiting(kinds: readonly DiskKind[]): DiskKind {
  const order = ["rotating", "unknown", "network", "solid"] as const;
  return order.find((kind) => kinds.includes(kind)) ?? "unknown";
}

function isVirtual(disk: string): boolean {
  const vendor = readValue(join(disk, "device/vendor")) ?? "";
  const model = readValue(join(disk, "device/model")) ?? "";
  return virtualVendors.test(vendor) || virtualVendors.test(model);
}
