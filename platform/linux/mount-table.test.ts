import { describe, expect, it } from "vitest";
import { parseMounts, readMounts } from "./mount-table.ts";

const recorded =
  String.raw`22 1 253:1 / / rw,relatime shared:1 master:2 - ext4 /dev/mapper/vg-root rw
23 22 0:21 / /proc rw,nosuid shared:5 - proc proc rw
31 22 0:45 /@home /home\040of\011all\134 rw - btrfs /dev/nvme0n1p2 rw,subvolid=256,subvol=/@home
40 22 0:51 / /mnt/caf` +
  "\xc3\xa9" +
  String.raw` rw unbindable - fuse.sshfs me@host:/a\040b rw
`;

describe("parseMounts", () => {
  it("reads lines with and without optional fields", () => {
    const mounts = parseMounts(recorded);
    expect(mounts.map(({ id, device, type, source }) => [id, device, type, source])).toEqual([
      [22, "253:1", "ext4", "/dev/mapper/vg-root"],
      [23, "0:21", "proc", "proc"],
      [31, "0:45", "btrfs", "/dev/nvme0n1p2"],
      [40, "0:51", "fuse.sshfs", "me@host:/a b"],
    ]);
  });

  it("restores the characters of mount points that the kernel escapes, as raw bytes", () => {
    const points = parseMounts(recorded).map(({ mountPoint }) =>
      Buffer.from(mountPoint).toString(),
    );
    expect(points).toEqual(["/", "/proc", "/home of\tall\\", "/mnt/café"]);
  });

  it("passes over lines that it does not understand", () => {
    expect(parseMounts("\n22 1 253:1 / / rw\nnonsense - ext4\n1 2 3:4 / / rw - ext4")).toEqual([]);
  });
});

describe("readMounts", () => {
  it("finds the root of the running system", () => {
    const points = readMounts().map(({ mountPoint }) => Buffer.from(mountPoint).toString());
    expect(points).toContain("/");
  });

  it("is empty where there is no list", () => {
    expect(readMounts("/nonexistent/mountinfo")).toEqual([]);
  });
});
