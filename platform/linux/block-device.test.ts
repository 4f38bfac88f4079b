import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { diskKind } from "./block-device.ts";

let sysfs = "";

beforeEach(() => {
  sysfs = mkdtempSync(join(tmpdir(), "sysfs-"));
  mkdirSync(join(sysfs, "dev/block"), { recursive: true });
});
afterEach(() => {
  rmSync(sysfs, { recursive: true });
});

interface Disk {
  readonly rotational?: "0" | "1";
  readonly vendor?: string;
  readonly model?: string;
  readonly slaves?: readonly string[];
}

/** A device at its place under devices/, and the link that its number leads by. */
function addDevice(number: string, path: string, files: Record<string, string>): string {
  const directory = join(sysfs, "devices", path);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), `${content}\n`);
  }
  mkdirSync(directory, { recursive: true });
  symlinkSync(relative(join(sysfs, "dev/block"), directory), join(sysfs, "dev/block", number));
  return directory;
}

function addDisk(number: string, path: string, disk: Disk): void {
  const directory = addDevice(number, path, {
    ...(disk.rotational === undefined ? {} : { "queue/rotational": disk.rotational }),
    ...(disk.vendor === undefined ? {} : { "device/vendor": disk.vendor }),
    ...(disk.model === undefined ? {} : { "device/model": disk.model }),
  });
  for (const slave of disk.slaves ?? []) {
    mkdirSync(join(directory, "slaves"), { recursive: true });
    const target = join(sysfs, "devices", slave);
    symlinkSync(relative(join(directory, "slaves"), target), join(directory, "slaves", slave));
  }
}

describe("diskKind", () => {
  it.each([
    ["a disk that turns", "sda", { rotational: "1", vendor: "ATA", model: "ST4000" }, "rotating"],
    ["a disk that does not", "sda", { rotational: "0", vendor: "ATA" }, "solid"],
    ["NVMe", "nvme0n1", { rotational: "0" }, "solid"],
    ["virtio", "vda", { rotational: "1" }, "unknown"],
    ["Xen", "xvda", { rotational: "1" }, "unknown"],
    ["Hyper-V", "sda", { rotational: "1", vendor: "Msft", model: "Virtual Disk" }, "unknown"],
    ["VMware", "sda", { rotational: "1", vendor: "VMware" }, "unknown"],
    [
      "an emulated disk",
      "sda",
      { rotational: "1", vendor: "ATA", model: "QEMU HARDDISK" },
      "unknown",
    ],
    ["a network block device", "nbd0", { rotational: "0" }, "network"],
    ["a device that tells nothing", "sda", {}, "unknown"],
  ] as const)("calls %s %s %j: %s", (_, name, disk, kind) => {
    addDisk("8:0", name, disk);
    expect(diskKind("8:0", sysfs)).toBe(kind);
  });

  it("looks at the disk that a partition is on", () => {
    addDisk("8:0", "pci/sda", { rotational: "1", vendor: "ATA" });
    addDevice("8:1", "pci/sda/sda1", { partition: "1" });
    expect(diskKind("8:1", sysfs)).toBe("rotating");
  });

  it("looks through encryption, volumes and RAID at the slowest disk", () => {
    addDisk("8:0", "sda", { rotational: "0", vendor: "ATA" });
    addDisk("8:16", "sdb", { rotational: "1", vendor: "ATA" });
    addDisk("9:0", "md0", { rotational: "0", slaves: ["sda", "sdb"] });
    addDisk("253:0", "dm-0", { rotational: "0", slaves: ["md0"] });
    addDisk("253:1", "dm-1", { rotational: "0", slaves: ["dm-0"] });
    expect(diskKind("253:1", sysfs)).toBe("rotating");
  });

  it("gives up on devices stacked in a circle", () => {
    addDisk("253:0", "dm-0", { slaves: ["dm-1"] });
    addDisk("253:1", "dm-1", { slaves: ["dm-0"] });
    expect(diskKind("253:0", sysfs)).toBe("unknown");
  });

  it("knows nothing of a device that is not there", () => {
    expect(diskKind("7:7", sysfs)).toBe("unknown");
    expect(diskKind("../../..", sysfs)).toBe("unknown");
  });
});
