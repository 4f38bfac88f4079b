/** Drives of a Mac, through `mount` and `diskutil`. */
import { realpath } from "node:fs/promises";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { MountedFileSystem, RemovableMedia } from "../ports/removable-media.ts";
import { type DarwinCommands, darwinCommands } from "./command-output.ts";
import { type DiskInfo, decodeDiskInfo } from "./disk-info.ts";
import { type DarwinMount, decodeMounts } from "./mount-text.ts";

export class DarwinRemovableMedia implements RemovableMedia {
  readonly #commands: DarwinCommands;

  /** `commands` are others than the system's, for tests. */
  constructor(commands: DarwinCommands = darwinCommands) {
    this.#commands = commands;
  }

  async mounted(): Promise<readonly MountedFileSystem[]> {
    const found: MountedFileSystem[] = [];
    for (const { path, isNetwork } of await this.#mounts()) {
      const info = isNetwork ? undefined : await this.#info(path);
      const removable = isNetwork ? undefined : info?.removable;
      found.push({ path, id: info?.volumeId, removable, isNetwork });
    }
    return found;
  }

  async eject(path: string): Promise<void> {
    const real = await realpath(path).catch(() => path);
    const mount = mountOf(real, await this.#mounts());
    const info = mount === undefined ? undefined : await this.#info(mount.path);
    if (mount === undefined || mount.isNetwork || info === undefined)
      throw failure(path, "it lies on no drive of this machine");
    if (mount.path === "/" || mount.path === "/System/Volumes/Data")
      throw failure(path, "the machine itself needs this drive");
    if (info.isInternal && info.removable !== true) throw failure(path, "the drive is built in");
    const disk = await this.#physicalDisk(path, info);
    for (const verb of ["unmountDisk", "eject"]) {
      const { exitCode, stdout, problem } = await this.#commands("diskutil", [verb, disk]);
      // Who holds the drive stands in what it prints, not in what it complains.
      if (exitCode !== 0) throw failure(path, whyNot(`${stdout}\n${problem}`));
    }
  }

  async #mounts(): Promise<readonly DarwinMount[]> {
    return decodeMounts((await this.#commands("mount", [])).stdout);
  }

  async #info(place: string): Promise<DiskInfo | undefined> {
    const { exitCode, stdout } = await this.#commands("diskutil", ["info", "-plist", place]);
    return exitCode === 0 ? decodeDiskInfo(stdout) : undefined;
  }

  /** What people unplug: below an APFS container lies the disk that holds it. */
  async #physicalDisk(path: string, info: DiskInfo): Promise<string> {
    const [store, ...others] = info.physicalStores;
    if (others.length > 0) throw failure(path, "it spreads over several drives");
    const below = store === undefined ? info : await this.#info(store);
    if (below?.wholeDisk === undefined) throw failure(path, "diskutil does not tell its drive");
    return below.wholeDisk;
  }
}

function mountOf(path: string, mounts: readonly DarwinMount[]): DarwinMount | undefined {
  return mounts
    .filter((mount) => path === mount.path || path.startsWith(`${mount.path.replace(/\/$/, "")}/`))
    .toSorted((a, b) => b.path.length - a.path.length)[0];
}

function whyNot(output: string): string {
  const holder = /dissented by PID (\d+) \(([^)]*)\)/.exec(output);
  if (holder !== null) return `held by ${holder[2]} (process ${holder[1]})`;
  return output.trim().split("\n")[0].trim();
}

function failure(path: string, reason: string): BackstayError {
  return new BackstayError("EJECT_FAILED", { path, reason });
}
