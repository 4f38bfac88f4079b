import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { devicesOn, disksUnder, isRemovableDisk } from "./disk-stack.ts";

let sysfs: string;

beforeEach(() => {
  sysfs = realpathSync(mkdtempSync(join(tmpdir(), "backstay-sysfs-")));
});
afterEach(() => rmSync(sysfs, { recursive: true }));

/** A block device as sysfs shows it; returns its folder. */
function addDevice(
  path: string,
  device: string,
  files: Readonly<Record<string, string>> = {},
): string {
  const folder = join(sysfs, "devices", path);
  for (const [file, text] of Object.entries({ dev: device, ...files })) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `${text}\n`);
  }
  mkdirSync(join(sysfs, "dev/block"), { recursive: true });
  symlinkSync(relative(join(sysfs, "dev/block"), folder), join(sysfs, "dev/block", device));
  return folder;
}

function stack(upper: string, lower: string): void {
  for (const [folder, kind, target] of [
    [upper, "slaves", lower],
    [lower, "holders", upper],
  ] as const) {
    mkdirSync(join(folder, kind), { recursive: true });
    const name = target.slice(target.lastIndexOf("/") + 1);
    symlinkSync(relative(join(folder, kind), target), join(folder, kind, name));
  }
}

const usb = "pci0000:00/0000:00:14.0/usb1/1-2/host6/target6:0:0/6:0:0:0/block/sdb";

describe("a stack of devices", () => {
  it("leads from an encrypted partition to its drive and back", () => {
    const disk = addDevice(usb, "8:16", { removable: "0" });
    const part = addDevice(`${usb}/sdb1`, "8:17", { partition: "1" });
    addDevice(`${usb}/sdb2`, "8:18", { partition: "2" });
    const crypt = addDevice("virtual/block/dm-0", "253:0");
    stack(crypt, part);
    for (const device of ["253:0", "8:17", "8:16"])
      expect(disksUnder(device, sysfs)).toEqual([disk]);
    expect(devicesOn(disk)).toEqual([
      { name: "sdb", device: "8:16" },
      { name: "sdb1", device: "8:17" },
      { name: "dm-0", device: "253:0" },
      { name: "sdb2", device: "8:18" },
    ]);
  });

  it("leads to every disk of a RAID, once each", () => {
    const disks = ["sda", "sdc"].map((name, at) =>
      addDevice(`pci0000:00/ata${at}/block/${name}`, `8:${at * 32}`),
    );
    const raid = addDevice("virtual/block/md0", "9:0");
    for (const disk of disks) stack(raid, disk);
    const volume = addDevice("virtual/block/dm-3", "253:3");
    stack(volume, raid);
    expect(disksUnder("253:3", sysfs)).toEqual(disks);
  });

  it("is empty for what sysfs does not know", () => {
    expect(disksUnder("0:45", sysfs)).toEqual([]);
  });
});

describe("isRemovableDisk", () => {
  it("goes by the disk's own word, the bus, and the kind of card", () => {
    const of = (path: string, files: Readonly<Record<string, string>>): boolean =>
      isRemovableDisk(addDevice(path, String(Math.random()), files));
    expect(of("pci0000:00/ata1/block/sda", { removable: "0" })).toBe(false);
    expect(of("pci0000:00/ata2/block/sr0", { removable: "1" })).toBe(true);
    expect(of(usb, { removable: "0" })).toBe(true);
    expect(of("platform/mmc0/mmc0:1/block/mmcblk0", { "device/type": "SD" })).toBe(true);
    expect(of("platform/mmc1/mmc1:1/block/mmcblk1", { "device/type": "MMC" })).toBe(false);
  });
});
