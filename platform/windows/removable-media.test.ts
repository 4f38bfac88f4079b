import { describe, expect, it } from "vitest";
import { describeRemovableMedia } from "../ports/removable-media-contract.ts";
import { lettersOf } from "./drives.ts";
import type { VolumeCalls } from "./kernel32-volumes.ts";
import { WindowsRemovableMedia } from "./removable-media.ts";
import { isRemovableDevice } from "./storage-device.ts";
import { WindowsError } from "./windows-calls.ts";

/** STORAGE_DEVICE_DESCRIPTOR without the names behind it. */
function descriptor(bus: number, removableMedia = 0): Uint8Array {
  const bytes = Buffer.alloc(40);
  for (const at of [0, 4]) bytes.writeUInt32LE(40, at);
  bytes[10] = removableMedia;
  bytes.writeUInt32LE(bus, 28);
  return bytes;
}

/** C: built in, D: an empty reader, E: a stick, F: a disk on USB, N: a share. */
function play(changes: Partial<VolumeCalls> = {}): { calls: VolumeCalls; done: string[] } {
  const done: string[] = [];
  const types: Readonly<Record<string, number>> = { C: 3, D: 2, E: 2, F: 3, N: 4 };
  const calls: VolumeCalls = {
    driveLetters: () => 0b10_0000_0011_1100,
    driveType: (root) => types[root[0]] ?? 1,
    serialNumber: async (root) => (root === "D:\\" ? undefined : 0x1a2b3c4d),
    openDevice: (path) => path.charCodeAt(4),
    control: async (device, code) => {
      if (code === 0x2d_1400) return descriptor(device === "F".charCodeAt(0) ? 7 : 17);
      done.push(`${String.fromCharCode(Number(device))} ${code.toString(16)}`);
      return new Uint8Array(0);
    },
    close: (device) => void done.push(`${String.fromCharCode(Number(device))} closed`),
    ...changes,
  };
  return { calls, done };
}

const media = (calls: VolumeCalls): WindowsRemovableMedia =>
  new WindowsRemovableMedia({ calls, systemPaths: ["C:\\Windows"], attemptMs: 1 });

describeRemovableMedia("the Windows adapter", () => media(play().calls));

describe("drives of Windows", () => {
  it("are letters with a file system, by their kind", async () => {
    expect(await media(play().calls).mounted()).toEqual([
      { path: "C:\\", id: "1A2B-3C4D", removable: false, isNetwork: false },
      { path: "E:\\", id: "1A2B-3C4D", removable: true, isNetwork: false },
      { path: "F:\\", id: "1A2B-3C4D", removable: true, isNetwork: false },
      { path: "N:\\", id: undefined, removable: undefined, isNetwork: true },
    ]);
  });

  it("take their letters from the lowest bit on", () => {
    expect(lettersOf(0)).toEqual([]);
    expect(lettersOf(0b101)).toEqual(["A", "C"]);
    expect(lettersOf(0x3ff_ffff)).toHaveLength(26);
  });

  it("are removable by their bus or by their medium", () => {
    expect(isRemovableDevice(descriptor(17))).toBe(false);
    expect(isRemovableDevice(descriptor(7))).toBe(true);
    expect(isRemovableDevice(descriptor(11, 1))).toBe(true);
    expect(isRemovableDevice(new Uint8Array(8))).toBe(undefined);
  });

  it("are locked, dismounted and ejected in this order", async () => {
    const { calls, done } = play();
    await media(calls).eject("e:\\backup\\folder");
    expect(done.filter((each) => each.startsWith("E"))).toEqual([
      "E 90018",
      "E 90020",
      "E 2d4804",
      "E 2d4808",
      "E closed",
    ]);
  });

  it("are refused if they are the machine's own, built in, a share, empty or none", async () => {
    const { calls, done } = play();
    for (const path of ["C:\\", "c:/data", "N:\\", "D:\\", "X:\\", "\\\\server\\share", "/mnt"])
      await expect(media(calls).eject(path), path).rejects.toMatchObject({ code: "EJECT_FAILED" });
    expect(done.filter((each) => !each.endsWith("closed"))).toEqual([]);
  });

  it("stay where they are while somebody has files open", async () => {
    let attempts = 0;
    const { calls, done } = play({
      control: async (_device, code) => {
        if (code === 0x2d_1400) return descriptor(7);
        attempts += 1;
        throw new WindowsError("DeviceIoControl", 5);
      },
    });
    await expect(media(calls).eject("E:\\")).rejects.toMatchObject({
      context: { reason: "somebody has files open on it" },
    });
    expect(attempts).toBe(10);
    expect(done.at(-1)).toBe("E closed");
  });
});
