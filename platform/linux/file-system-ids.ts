/** The UUID or serial of the file system on a block device, by which a drive is known wherever it is mounted. */
import { readdir, stat } from "node:fs/promises";
import { runTool } from "../node/run-tool.ts";

const blkidMsMax = 10_000;

/** `byUuid` is another folder for tests. */
export async function fileSystemId(
  devicePath: string,
  byUuid: string = "/dev/disk/by-uuid",
): Promise<string | undefined> {
  const device = await deviceNumber(devicePath);
  if (device === undefined) return undefined;
  const names = await readdir(byUuid).catch(() => undefined);
  for (const name of names ?? [])
    if ((await deviceNumber(`${byUuid}/${name}`)) === device) return unescapeName(name);
  return await probedId(devicePath);
}

/** Asks the disk itself where nobody keeps a list, or the list is late; root only. */
async function probedId(devicePath: string): Promise<string | undefined> {
  const args = ["-p", "-s", "UUID", "-o", "value", "--", devicePath];
  const { stdout } = await runTool("blkid", args, blkidMsMax);
  return stdout.trim() === "" ? undefined : stdout.trim();
}

/** Undefined for what isn't a block device. */
async function deviceNumber(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isBlockDevice() ? found.rdev : undefined;
  } catch {
    return undefined;
  }
}

/** udev writes what may not be in a name as `\x20`. */
function unescapeName(name: string): string {
  return name.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
