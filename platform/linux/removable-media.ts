/** Drives of a Linux machine, from its mount table and sysfs. */
import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import type { MountedFileSystem, RemovableMedia } from "../ports/removable-media.ts";
import { DbusConnection } from "./dbus-connection.ts";
import { disksUnder, isRemovableDisk } from "./disk-stack.ts";
import { ejectDrive } from "./drive-ejection.ts";
import { fileSystemId } from "./file-system-ids.ts";
import { blockDeviceOf, type ReachableMount, reachableMounts } from "./reachable-mounts.ts";
import { Udisks } from "./udisks.ts";

export interface LinuxRemovableMediaOptions {
  /** Address of the system bus. */
  readonly bus: string;
}

export class LinuxRemovableMedia implements RemovableMedia {
  readonly #bus: string;

  constructor({ bus }: LinuxRemovableMediaOptions) {
    this.#bus = bus;
  }

  async mounted(): Promise<readonly MountedFileSystem[]> {
    const found: MountedFileSystem[] = [];
    for (const mount of reachableMounts().values()) found.push(await describe(mount));
    return found;
  }

  async eject(path: string): Promise<void> {
    const bus = await DbusConnection.open(this.#bus).catch(() => undefined);
    try {
      const udisks = bus === undefined ? undefined : await Udisks.open(bus);
      await ejectDrive(await realpath(path).catch(() => resolve(path)), udisks);
    } finally {
      await bus?.close();
    }
  }
}

async function describe(mount: ReachableMount): Promise<MountedFileSystem> {
  const { path, isNetwork, devicePath } = mount;
  const id = devicePath === undefined ? undefined : await fileSystemId(devicePath);
  return { path, id, removable: isRemovable(mount), isNetwork };
}

/** Undefined for what lies on no disk. */
function isRemovable(mount: ReachableMount): boolean | undefined {
  const device = blockDeviceOf(mount);
  const disks = device === undefined ? [] : disksUnder(device);
  return disks.length === 0 ? undefined : disks.every(isRemovableDisk);
}
