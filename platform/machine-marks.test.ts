import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { DarwinMachineMarks } from "./darwin/machine-marks.ts";
import { LinuxMachineMarks } from "./linux/machine-marks.ts";
import { openMachineMarks } from "./open-machine-marks.ts";
import { WindowsMachineMarks } from "./windows/machine-marks.ts";

it("this machine's marks are the same when they are read again", async () => {
  const reader = openMachineMarks(process.env);
  const marks = await reader.read();
  expect(Object.keys(marks).sort()).toEqual(["disk", "hardware", "network", "system"]);
  expect(await reader.read()).toEqual(marks);
});

describe("the marks of a Linux machine", () => {
  it("are those that came with its parts", async () => {
    const root = folderWith({
      "etc/machine-id": "0123456789ABCDEF0123456789abcdef\n",
      "sys/class/dmi/id/product_uuid": "4C4C4544-0001\n",
      "proc/self/mountinfo":
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:5 / /dev rw - devtmpfs udev rw\n",
    });
    addInterface(root, "lo", { address: "00:00:00:00:00:00", device: undefined });
    addInterface(root, "docker0", { address: "02:42:00:00:00:01", device: undefined });
    addInterface(root, "enx1", { address: "00:00:00:00:00:11", device: "pci0/usb1/1-1" });
    addInterface(root, "wlan0", { address: "00:00:00:00:00:22", device: "pci0/1", assigned: "3" });
    addInterface(root, "eth1", { address: "00:16:3e:00:00:99", device: "pci0/2" });
    addInterface(root, "eth0", { address: "00:16:3e:00:00:33", device: "pci0/3" });
    const marks = new LinuxMachineMarks({ root, fileSystemId: async (device) => `of ${device}` });
    expect(await marks.read()).toEqual({
      system: "0123456789abcdef0123456789abcdef",
      hardware: "4c4c4544-0001",
      disk: "of /dev/sda1",
      network: "00:16:3e:00:00:33",
    });
  });

  it("are absent where there are none", async () => {
    const root = folderWith({
      "etc/machine-id": "uninitialized\n",
      "proc/self/mountinfo": "22 1 0:40 / / rw - overlay overlay rw\n",
    });
    const marks = { system: undefined, hardware: undefined, disk: undefined, network: undefined };
    expect(await new LinuxMachineMarks({ root }).read()).toEqual(marks);
  });
});

describe("the marks of a Windows machine", () => {
  /** A BIOS structure with two texts, then the system's with its UUID. */
  const tables = Buffer.concat([
    Buffer.alloc(8, 7),
    Buffer.from([0, 6, 0, 0, 1, 2]),
    Buffer.from("maker\0version\0\0"),
    Buffer.from([1, 27, 1, 0, 1, 2, 3, 4]),
    Buffer.from("00112233445566778899aabbccddeeff", "hex"),
    Buffer.from([6, 0, 0, 0, 0]),
  ]);
  const machine = (firmware: Uint8Array): WindowsMachineMarks =>
    new WindowsMachineMarks({
      systemDrive: "C:",
      registry: { text: () => "guid" },
      volumes: { serialNumber: async (root) => (root === "C:\\" ? 0xabc : undefined) },
      firmware: () => firmware,
    });

  it("are found, the UUID in the tables of its firmware", async () => {
    const marks = await machine(tables).read();
    expect(marks).toMatchObject({ system: "guid", disk: "abc" });
    expect(marks.hardware).toBe("00112233445566778899aabbccddeeff");
  });

  it("hold no UUID where the tables are cut off or hold none", async () => {
    for (let length = 0; length < tables.length - 6; length += 1)
      expect((await machine(tables.subarray(0, length)).read()).hardware).toBeUndefined();
    const none = Buffer.concat([tables.subarray(0, 37), Buffer.alloc(16, 0xff)]);
    expect((await machine(none).read()).hardware).toBeUndefined();
  });
});

it("the marks of a Mac are in what its programs print", async () => {
  const outputs: Readonly<Record<string, string>> = {
    ioreg: '  {\n "IOPlatformUUID" = "AAAA-BBBB"\n  "IOPlatformSerialNumber" = "C02X"\n }',
    diskutil: `<?xml version="1.0"?><plist version="1.0"><dict><key>DeviceIdentifier</key>
      <string>disk3s1</string><key>VolumeUUID</key><string>VVVV</string></dict></plist>`,
  };
  const marks = new DarwinMachineMarks(async (program) => ({
    exitCode: 0,
    stdout: outputs[program] ?? "",
    problem: "",
  }));
  expect(await marks.read()).toMatchObject({ system: "C02X", hardware: "AAAA-BBBB", disk: "VVVV" });
});

function folderWith(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(path.join(tmpdir(), "backstay-marks-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
    writeFileSync(path.join(root, name), content);
  }
  return root;
}

function addInterface(
  root: string,
  name: string,
  about: { address: string; device: string | undefined; assigned?: string },
): void {
  const folder = path.join(root, "sys/class/net", name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "address"), `${about.address}\n`);
  writeFileSync(path.join(folder, "addr_assign_type"), `${about.assigned ?? "0"}\n`);
  if (about.device === undefined) return;
  const device = path.join(root, "sys/devices", about.device);
  mkdirSync(device, { recursive: true });
  symlinkSync(device, path.join(folder, "device"));
}
