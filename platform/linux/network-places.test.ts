import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  hasWireless,
  isOnline,
  type NetworkFiles,
  networkPlace,
  tunnels,
} from "./network-places.ts";

const header =
  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const home = "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n";
const lan = "wlan0\t0001A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0\n";
const office = "wg0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n";
const none = "0".repeat(32);
const route6 = (to: string, length: string, via: string, flags: string, name: string): string =>
  `${to} ${length} ${none} 00 ${via} 00000400 00000001 00000000 ${flags} ${name.padStart(8)}\n`;

let folder: string;
let files: NetworkFiles;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "backstay-net-"));
  files = { proc: join(folder, "proc"), sysfs: join(folder, "sys") };
  mkdirSync(join(files.proc, "net"), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

function setRoutes(version4: string, version6: string = ""): void {
  writeFileSync(join(files.proc, "net/route"), header + version4);
  writeFileSync(join(files.proc, "net/ipv6_route"), version6);
}

function addInterface(name: string, content: Readonly<Record<string, string>>): void {
  const place = join(files.sysfs, "class/net", name);
  mkdirSync(place, { recursive: true });
  for (const [file, text] of Object.entries(content)) writeFileSync(join(place, file), text);
}

describe("networkPlace", () => {
  it("differs with the default route, not with routes beside it", () => {
    setRoutes(home + lan);
    const before = networkPlace(files);
    setRoutes(home + lan + office);
    expect(networkPlace(files)).toBe(before);
    setRoutes(home.replace("0101A8C0", "0100000A") + lan);
    expect(networkPlace(files)).not.toBe(before);
    const gateway = "fe80000000000000021122fffe334455";
    setRoutes(home + lan, route6(none, "00", gateway, "00000003", "wlan0"));
    expect(networkPlace(files)).not.toBe(before);
  });

  it("has this machine's addresses, without those of links", () => {
    setRoutes("");
    const place = networkPlace(files);
    expect(place).not.toMatch(/fe80|127\.0\.0\.1|169\.254/);
    const outside = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter(({ internal, family }) => !internal && family === "IPv4");
    for (const { address } of outside) expect(place).toContain(address);
  });
});

describe("isOnline", () => {
  it("needs a default route that is up and leads out", () => {
    setRoutes(home);
    expect(isOnline(files)).toBe(true);
    setRoutes("", route6(none, "00", none, "00200200", "lo"));
    expect(isOnline(files)).toBe(false);
    setRoutes(home.replace("0003", "0002"));
    expect(isOnline(files)).toBe(false);
    setRoutes("", route6(none, "00", none, "00000001", "eth0"));
    expect(isOnline(files)).toBe(true);
  });
});

describe("tunnels", () => {
  it("are WireGuard and tun interfaces that lead somewhere", () => {
    setRoutes(home + lan + office, route6("fd".padEnd(32, "0"), "08", none, "00000001", "tun0"));
    addInterface("wlan0", { uevent: "DEVTYPE=wlan\nINTERFACE=wlan0\n" });
    addInterface("wg0", { uevent: "DEVTYPE=wireguard\nINTERFACE=wg0\n" });
    addInterface("tun0", { uevent: "INTERFACE=tun0\n", tun_flags: "0x1001\n" });
    expect([...tunnels(files)].sort()).toEqual(["tun0", "wg0"]);
  });

  it("are no cards of virtual machines, and none without a route", () => {
    setRoutes(
      office.replace("wg0", "vnet0"),
      route6("fe8".padEnd(32, "0"), "40", none, "00000001", "tun1"),
    );
    addInterface("vnet0", { uevent: "INTERFACE=vnet0\n", tun_flags: "0x1002\n" });
    addInterface("tun1", { uevent: "INTERFACE=tun1\n", tun_flags: "0x1001\n" });
    expect(tunnels(files)).toEqual([]);
  });
});

it("knows wireless devices", () => {
  addInterface("eth0", {});
  expect(hasWireless(files)).toBe(false);
  addInterface("wlan0", { phy80211: "" });
  expect(hasWireless(files)).toBe(true);
});
