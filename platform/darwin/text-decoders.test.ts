import { describe, expect, it } from "vitest";
import { recorded } from "../../test/other-systems/played-mac.ts";
import { decodeAccounts } from "./account-text.ts";
import { decodeConsoleUsers } from "./console-users.ts";
import { decodeDiskInfo } from "./disk-info.ts";
import { decodeMounts } from "./mount-text.ts";
import {
  decodePrimaryInterfaces,
  decodeWirelessDevices,
  decodeWirelessName,
  hasConnectedVpn,
  isTunnel,
} from "./network-text.ts";
import { decodeBatteries, decodeOwnWakes, wakeText } from "./power-text.ts";
import { decodeStoreChange } from "./store-watch.ts";

const noise = ["", "\n\n", "zsh: command not found", "\u0000\u0001", "<plist>"];

describe("what macOS prints", () => {
  it("of users at the screen: who is logged on and locked, without the logon screen", () => {
    const ann = { session: "257", user: "ann" };
    expect(decodeConsoleUsers(recorded("ioreg-locked.plist"))).toEqual([
      { ...ann, isLocked: true },
    ]);
    expect(decodeConsoleUsers(recorded("ioreg-unlocked.plist"))).toEqual([
      { ...ann, isLocked: false },
    ]);
    expect(decodeConsoleUsers("<plist><dict/></plist>")).toEqual([]);
    for (const text of noise) expect(decodeConsoleUsers(text)).toBe(undefined);
  });

  it.each([
    ["discharging", true, 57],
    ["charging", false, 51],
    ["desktop", false, undefined],
    ["ups", true, 100],
  ])("of batteries: %s", (name, onBattery, batteryPercent) => {
    const output = recorded(`pmset-batt-${name}.txt`);
    expect(decodeBatteries(output)).toEqual({ onBattery, batteryPercent });
  });

  it("of batteries: nothing", () => {
    for (const text of noise)
      expect(decodeBatteries(text)).toEqual({ onBattery: undefined, batteryPercent: undefined });
  });

  it("of planned wakes: our own, in the form that cancels them", () => {
    expect(decodeOwnWakes(recorded("pmset-sched.txt"), "com.backstay.agent")).toEqual([
      "11/24/26 02:55:00",
      "11/25/26 02:55:30",
    ]);
    for (const text of noise) expect(decodeOwnWakes(text, "com.backstay.agent")).toEqual([]);
  });

  it("takes times of the machine's zone, to the second and never too early", () => {
    const at = new Date(2026, 0, 2, 3, 4, 5, 1).getTime();
    expect(wakeText(at)).toBe("01/02/26 03:04:06");
  });

  it("of default routes", () => {
    const interfaces = (name: string): readonly string[] =>
      decodePrimaryInterfaces(recorded(`scutil-global${name}.txt`));
    expect([interfaces(""), interfaces("-tunnel"), interfaces("-offline")]).toEqual([
      ["en0"],
      ["utun4"],
      [],
    ]);
    expect(["utun4", "ipsec0", "ppp0"].every(isTunnel)).toBe(true);
    expect(["en0", "bridge0", "utunnel"].some(isTunnel)).toBe(false);
  });

  it("of VPNs: connected or not, whatever they are called", () => {
    expect(hasConnectedVpn(recorded("scutil-nc-list.txt"))).toBe(true);
    expect(hasConnectedVpn(recorded("scutil-nc-list-down.txt"))).toBe(false);
  });

  it("of wireless networks", () => {
    expect(decodeWirelessDevices(recorded("networksetup-ports.txt"))).toEqual(["en0"]);
    expect(decodeWirelessName(recorded("ipconfig-en0.txt"))).toEqual({ name: "Ann's Net : 5 GHz" });
    expect(decodeWirelessName(recorded("ipconfig-en0-redacted.txt"))).toBe("hidden");
    expect(decodeWirelessName(recorded("ipconfig-en0-off.txt"))).toBe(undefined);
  });

  it("of mounts: where files of people may be, with awkward names", () => {
    expect(decodeMounts(recorded("mount.txt"))).toEqual([
      { source: "/dev/disk3s1s1", path: "/", isNetwork: false },
      { source: "/dev/disk3s5", path: "/System/Volumes/Data", isNetwork: false },
      { source: "/dev/disk5s1", path: "/Volumes/Ann's (old) disk", isNetwork: false },
      { source: "/dev/disk6s1", path: "/Volumes/STICK on desk", isNetwork: false },
      {
        source: "//ann@nas._smb._tcp.local/backup",
        path: "/Volumes/backup",
        isNetwork: true,
      },
    ]);
    for (const text of noise) expect(decodeMounts(text)).toEqual([]);
  });

  it("of volumes", () => {
    expect(decodeDiskInfo(recorded("diskutil-apfs.plist"))).toEqual({
      volumeId: "22222222-AAAA-4AAA-8AAA-000000000001",
      removable: true,
      isInternal: false,
      wholeDisk: "disk5",
      physicalStores: ["disk4s2"],
    });
    expect(decodeDiskInfo(recorded("diskutil-data.plist"))).toMatchObject({
      removable: false,
      isInternal: true,
    });
    for (const text of noise) expect(decodeDiskInfo(text)).toBe(undefined);
  });

  it("of accounts: people only, by their first name", () => {
    expect(decodeAccounts(recorded("dscl-users.plist"))).toEqual([]);
    const output = recorded("dscl-users.plist").replaceAll("HOMES", "/Users");
    expect(decodeAccounts(output)?.map(({ name, id, home }) => `${name} ${id} ${home}`)).toEqual([
      "bob 502 /Users/bob",
      "ann 501 /Users/ann",
      "gone 503 /Users/gone",
    ]);
    for (const text of noise) expect(decodeAccounts(text)).toBe(undefined);
  });

  it("of changes in the dynamic store", () => {
    const changes = recorded("scutil-watch.txt").split("\n").map(decodeStoreChange);
    expect(changes.filter((each) => each !== undefined)).toEqual([
      "network",
      "network",
      "power",
      "users",
    ]);
  });
});
