/** Takes a drive out of use, so that people may unplug it. */
import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { runTool } from "../node/run-tool.ts";
import { dbusReason } from "./dbus-connection.ts";
import { devicesOn, disksUnder, type StackedDevice } from "./disk-stack.ts";
import { readMounts } from "./mount-table.ts";
import { holdersOf } from "./path-holders.ts";
import { blockDeviceOf, type ReachableMount, reachableMounts } from "./reachable-mounts.ts";
import type { Udisks } from "./udisks.ts";

/** Indexers let go of a drive after a moment. */
const attempts = 4;
const attemptMs = 1_000;
const unmountMsMax = 60_000;

/** The machine itself lives here. */
const systemFolder = /^\/(?:boot(?:\/.*)?|efi|usr|var|home|root|etc|opt|srv|tmp|nix|sysroot)?$/;

interface Drive {
  readonly folder: string;
  readonly devices: readonly StackedDevice[];
}

/**
 * Flushes and unmounts every file system of the drive that holds `path`, then switches it off: by udisks2, else by
 * telling the kernel to let go of it; a drive that can't be switched off is unmounted only. EJECT_FAILED, with the reason,
 * before anything is done to a drive that the machine itself needs, and when somebody holds it.
 */
export async function ejectDrive(
  path: string,
  udisks: Udisks | undefined,
  sysfs: string = "/sys",
): Promise<void> {
  const drive = findDrive(path, sysfs);
  refuseSystemDrive(path, drive, sysfs);
  const names = drive.devices.map(({ name }) => name);
  for (;;) {
    const mount = mountsOn(drive, sysfs).at(-1);
    if (mount === undefined) break;
    await unmountPatiently(path, mount, udisks, drive, sysfs);
  }
  try {
    if ((await udisks?.powerOff(names)) === true) return;
  } catch (error) {
    throw failure(path, `unmounted, but not switched off: ${dbusReason(error, "udisks2")}`);
  }
  await removeFromKernel(path, drive);
}

/** Mounts as the machine's first process sees them: a service may have a table of its own, without effect on others. */
function machineMounts(): readonly ReachableMount[] {
  const mounts = readMounts("/proc/1/mountinfo");
  return [...reachableMounts(mounts.length > 0 ? mounts : readMounts()).values()];
}

function findDrive(path: string, sysfs: string): Drive {
  const holding = machineMounts()
    .filter((mount) => path === mount.path || path.startsWith(join(mount.path, "/")))
    .sort((a, b) => b.path.length - a.path.length)[0];
  const device = holding === undefined ? undefined : blockDeviceOf(holding, sysfs);
  const [folder, ...others] = device === undefined ? [] : disksUnder(device, sysfs);
  if (folder === undefined) throw failure(path, "it lies on no drive of this machine");
  if (others.length > 0) throw failure(path, "it spreads over several drives");
  return { folder, devices: devicesOn(folder) };
}

/** In the order in which they were mounted. */
function mountsOn(drive: Drive, sysfs: string): readonly ReachableMount[] {
  const numbers = new Set(drive.devices.map(({ device }) => device));
  return machineMounts().filter((mount) => {
    const device = blockDeviceOf(mount, sysfs);
    return device !== undefined && numbers.has(device);
  });
}

function refuseSystemDrive(path: string, drive: Drive, sysfs: string): void {
  const system = mountsOn(drive, sysfs).find((mount) => systemFolder.test(mount.path));
  if (system !== undefined) throw failure(path, `the drive also holds ${system.path}`);
  const swap = readFileSync("/proc/swaps", "utf8");
  const swapping = drive.devices.find(({ name }) => swap.includes(`/dev/${name} `));
  if (swapping !== undefined) throw failure(path, `the machine swaps to ${swapping.name}`);
}

async function unmountPatiently(
  path: string,
  mount: ReachableMount,
  udisks: Udisks | undefined,
  drive: Drive,
  sysfs: string,
): Promise<void> {
  const device = blockDeviceOf(mount, sysfs);
  const name = drive.devices.find((each) => each.device === device)?.name ?? "";
  for (let attempt = 1; ; attempt += 1) {
    const problem = await unmount(mount, name, udisks);
    if (problem === undefined) return;
    if (attempt === attempts) {
      const holders = holdersOf(mount.path);
      throw failure(path, holders.length > 0 ? `in use by ${holders.join(", ")}` : problem);
    }
    await sleep(attemptMs);
  }
}

/** Undefined once it is unmounted, else why not. */
async function unmount(
  mount: ReachableMount,
  deviceName: string,
  udisks: Udisks | undefined,
): Promise<string | undefined> {
  try {
    if ((await udisks?.unmount(deviceName)) === true) return undefined;
  } catch (error) {
    return dbusReason(error, "udisks2");
  }
  const isOurs = reachableMounts().get(mount.path)?.key === mount.key;
  const command = ["umount", "--", mount.path];
  const { exitCode, problem } = isOurs
    ? await runTool("umount", command.slice(1), unmountMsMax)
    : await runTool("nsenter", ["--target=1", "--mount", "--", ...command], unmountMsMax);
  return exitCode === 0 ? undefined : problem;
}

/** Only disks behind SCSI and USB can be let go of; the kernel writes their caches out first. */
async function removeFromKernel(path: string, { folder, devices }: Drive): Promise<void> {
  const name = devices[0]?.name ?? "";
  // Fails as long as anything is mounted from it anywhere, or built on it.
  try {
    closeSync(openSync(`/dev/${name}`, constants.O_RDONLY | constants.O_EXCL));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw failure(path, `unmounted, but still in use (${code ?? "unknown"} on /dev/${name})`);
  }
  try {
    await writeFile(join(folder, "device/delete"), "1", { flag: constants.O_WRONLY });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") throw failure(path, `unmounted, but not switched off: ${code ?? ""}`);
  }
}

function failure(path: string, reason: string): BackstayError {
  return new BackstayError("EJECT_FAILED", { path, reason });
}
