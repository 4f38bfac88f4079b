/** The mounts of this process, as the kernel lists them in /proc/self/mountinfo. */
import { readFileSync } from "node:fs";

export interface Mount {
  readonly id: number;
  /** Device number of the file system as `major:minor`; anonymous (major 0) for btrfs, network and virtual ones. */
  readonly device: string;
  readonly mountPoint: Uint8Array;
  /** Type, with its sub-type, such as `ext4` or `fuse.sshfs`. */
  readonly type: string;
  /** What is mounted: a device path, a server's export, or any word. */
  readonly source: string;
}

/** Mounts in the order of the kernel, later ones covering earlier ones. Empty where there is no /proc. */
export function readMounts(path: string = "/proc/self/mountinfo"): Mount[] {
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch {
    return [];
  }
  return parseMounts(text);
}

/** Parses the text of mountinfo (one char a byte); lines of another form are passed over. */
export function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    const separator = fields.indexOf("-", 6);
    const [id, , device, , mountPoint] = fields;
    const type = fields[separator + 1];
    const source = fields[separator + 2];
    if (separator < 0 || !mountPoint || !device || !type || source === undefined) {
      continue;
    }
    mounts.push({
      id: Number(id),
      device,
      mountPoint: Buffer.from(unescapeField(mountPoint), "latin1"),
      type,
      source: Buffer.from(unescapeField(source), "latin1").toString(),
    });
  }
  return mounts;
}

/** Space, tab, newline and backslash are written as three octal digits. */
function unescapeField(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
