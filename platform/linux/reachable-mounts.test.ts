import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseMounts } from "./mount-table.ts";
import { blockDeviceOf, reachableMounts } from "./reachable-mounts.ts";

const table = String.raw`22 1 253:1 / / rw shared:1 - ext4 /dev/mapper/vg-root rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:24 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
25 22 7:3 / /snap/core/1 ro - squashfs /dev/loop3 ro
31 22 0:45 /@home /home rw - btrfs /dev/nvme0n1p2 rw,subvol=/@home
40 22 0:51 / /mnt/nas rw - nfs4 nas:/export/a rw
41 22 0:52 / /media/anna/My\040Disk rw - fuseblk /dev/sdb1 rw
42 22 0:53 / /run/user/1000 rw - tmpfs tmpfs rw
43 22 0:54 / /net rw - autofs systemd-1 rw
44 43 0:55 / /net rw - cifs //server/share rw
45 41 8:33 / /media/anna/My\040Disk rw - vfat /dev/sdc1 rw
46 22 0:56 / /mnt/hidden rw - tmpfs tmpfs rw
47 22 0:57 / /mnt/hidden rw - proc proc rw
`;

describe("reachableMounts", () => {
  const mounts = reachableMounts(parseMounts(table));

  it("leaves out the kernel's own and the layers of containers, and what they cover", () => {
    expect([...mounts.keys()]).toEqual([
      "/",
      "/home",
      "/mnt/nas",
      "/run/user/1000",
      "/net",
      "/media/anna/My Disk",
    ]);
  });

  it("takes what is mounted on top of another, with its device", () => {
    expect(mounts.get("/media/anna/My Disk")?.devicePath).toBe("/dev/sdc1");
    expect(mounts.get("/net")).toMatchObject({ isNetwork: true, devicePath: undefined });
    expect(mounts.get("/run/user/1000")?.devicePath).toBe(undefined);
  });

  it("knows a mount by what is mounted, not only by place", () => {
    const again = table.replace("40 22 0:51 / /mnt/nas", "48 22 0:60 / /mnt/nas");
    expect(reachableMounts(parseMounts(again)).get("/mnt/nas")?.key).not.toBe(
      mounts.get("/mnt/nas")?.key,
    );
    expect(reachableMounts(parseMounts(table)).get("/mnt/nas")?.key).toBe(
      mounts.get("/mnt/nas")?.key,
    );
  });
});

describe("blockDeviceOf", () => {
  const mount = { path: "/x", key: "", isNetwork: false };

  it("is the number in the table, or that of the source where the table has an anonymous one", () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "backstay-sysfs-")));
    mkdirSync(join(folder, "class/block/dm-7"), { recursive: true });
    writeFileSync(join(folder, "class/block/dm-7/dev"), "253:7\n");
    writeFileSync(join(folder, "dm-7"), "");
    symlinkSync("dm-7", join(folder, "vg-home"));
    const of = (device: string, devicePath: string | undefined): string | undefined =>
      blockDeviceOf({ ...mount, device, devicePath }, folder);
    expect(of("8:17", "/dev/sdb1")).toBe("8:17");
    expect(of("0:45", join(folder, "vg-home"))).toBe("253:7");
    expect(of("0:45", join(folder, "absent"))).toBe(undefined);
    expect(of("0:53", undefined)).toBe(undefined);
    rmSync(folder, { recursive: true });
  });
});
