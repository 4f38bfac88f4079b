/** The drive letters of a Windows machine. */
import type { MountedFileSystem } from "../ports/removable-media.ts";
import { driveTypes, type VolumeCalls, volumeCalls } from "./kernel32-volumes.ts";
import { isRemovableDevice } from "./storage-device.ts";

/** IOCTL_STORAGE_QUERY_PROPERTY, asked with STORAGE_PROPERTY_QUERY of zeros. */
const queryProperty = 0x2d_1400;
const deviceQueryBytes = 12;
const descriptorBytesMax = 1024;

/**
 * Those that hold a file system. Empty readers are left out; so are volumes that only have a folder, and drives that people
 * have connected to a share for themselves, which no service sees. A share is never waited for.
 */
export async function listDrives(
  calls: VolumeCalls = volumeCalls,
): Promise<readonly MountedFileSystem[]> {
  const found = await Promise.all(
    lettersOf(calls.driveLetters()).map((each) => drive(each, calls)),
  );
  return found.filter((each) => each !== undefined);
}

/** The letters of a mask whose lowest bit is A. */
export function lettersOf(mask: number): readonly string[] {
  return [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter((_, i) => (mask & (1 << i)) !== 0);
}

async function drive(letter: string, calls: VolumeCalls): Promise<MountedFileSystem | undefined> {
  const path = `${letter}:\\`;
  const type = calls.driveType(path);
  if (type === driveTypes.network)
    return { path, id: undefined, removable: undefined, isNetwork: true };
  if (!isLocal(type)) return undefined;
  const serial = await calls.serialNumber(path);
  if (serial === undefined) return undefined;
  const removable =
    type === driveTypes.removable ||
    type === driveTypes.optical ||
    // Disks in a case of their own count as fixed.
    (type === driveTypes.fixed && (await isPluggable(letter, calls)));
  return { path, id: serialText(serial), removable, isNetwork: false };
}

/** False if the device does not tell. */
async function isPluggable(letter: string, calls: VolumeCalls): Promise<boolean> {
  try {
    const device = calls.openDevice(`\\\\.\\${letter}:`, "query");
    try {
      const query = new Uint8Array(deviceQueryBytes);
      const found = await calls.control(device, queryProperty, query, descriptorBytesMax);
      return isRemovableDevice(found) ?? false;
    } finally {
      calls.close(device);
    }
  } catch {
    return false;
  }
}

/** As Windows shows it: `1A2B-3C4D`. */
function serialText(serial: number): string {
  const digits = serial.toString(16).toUpperCase().padStart(8, "0");
  return `${digits.slice(0, 4)}-${digits.slice(4)}`;
}

function isLocal(type: number): boolean {
  return type >= driveTypes.removable && type <= driveTypes.memory;
}
