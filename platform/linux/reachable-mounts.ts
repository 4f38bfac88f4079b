/** The mounts on which somebody could keep files: not the kernel's own, not the layers of containers. */
import { readFileSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import { isNetworkType, isPseudoType } from "./file-system-kind.ts";
import { type Mount, readMounts } from "./mount-table.ts";

export interface ReachableMount {
  readonly path: string;
  /** Differs if something else is mounted at the same place. */
  readonly key: string;
  readonly isNetwork: boolean;
  /** Device number as the mount table has it. */
  readonly device: string;
  /** The block device it is on, if its source is one. */
  readonly devicePath: string | undefined;
}

/** Containers and packages mount these by the dozen. */
const layerTypes: ReadonlySet<string> = new Set(["overlay", "squashfs", "ramfs", "aufs"]);

/** By mount point; of several at one place the one on top. Mount points whose name isn't text are left out. */
export function reachableMounts(
  mounts: readonly Mount[] = readMounts(),
): ReadonlyMap<string, ReachableMount> {
  const found = new Map<string, ReachableMount>();
  for (const mount of mounts) {
    const path = Buffer.from(mount.mountPoint).toString();
    if (path.includes("\ufffd")) continue;
    found.delete(path);
    if (isPseudoType(mount.type) || layerTypes.has(mount.type)) continue;
    const { id, device, source, type } = mount;
    const isNetwork = isNetworkType(type);
    found.set(path, {
      path,
      key: `${id} ${device} ${source}`,
      isNetwork,
      device,
      devicePath: !isNetwork && source.startsWith("/dev/") ? source : undefined,
    });
  }
  return found;
}

/**
 * The number of the block device below: btrfs and FUSE show a number of their own making in the mount table.
 * `sysfs` is another root for tests.
 */
export function blockDeviceOf(mount: ReachableMount, sysfs: string = "/sys"): string | undefined {
  if (!mount.device.startsWith("0:")) return mount.device;
  if (mount.devicePath === undefined) return undefined;
  try {
    // Names in /dev/mapper are links to the kernel's own.
    const name = basename(realpathSync(mount.devicePath));
    return readFileSync(join(sysfs, "class/block", name, "dev"), "utf8").trim();
  } catch {
    return undefined;
  }
}
