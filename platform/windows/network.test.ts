import { describe, expect, it } from "vitest";
import { describeNetwork } from "../ports/network-contract.ts";
import { WindowsNetwork } from "./network.ts";
import { decodeAdapters, hasVpn, type NetworkAdapter } from "./network-adapters.ts";
import { isMeteredCost } from "./network-cost.ts";
import { decodeConnection, decodeInterfaces } from "./wireless-names.ts";

const address = 0x7fff_0000_0000n;

/** Memory as GetAdaptersAddresses fills it: structures of 448 bytes, each with its description behind. */
function adapterMemory(adapters: readonly NetworkAdapter[]): Uint8Array {
  const eachBytes = 448 + 128;
  const bytes = Buffer.alloc(adapters.length * eachBytes);
  for (const [i, { description, type, isUp, hasGateway }] of adapters.entries()) {
    const at = i * eachBytes;
    const isLast = i === adapters.length - 1;
    bytes.writeUInt32LE(448, at);
    bytes.writeBigUInt64LE(isLast ? 0n : address + BigInt(at + eachBytes), at + 8);
    bytes.writeBigUInt64LE(address + BigInt(at + 448), at + 64);
    bytes.writeUInt32LE(type, at + 100);
    bytes.writeUInt32LE(isUp ? 1 : 2, at + 104);
    bytes.writeBigUInt64LE(hasGateway ? address : 0n, at + 208);
    bytes.write(description, at + 448, "utf16le");
  }
  return bytes;
}

const ethernet: NetworkAdapter = {
  description: "Intel(R) Ethernet Connection",
  type: 6,
  isUp: true,
  hasGateway: true,
};
const tunnel = (description: string, type: number, isUp = true): NetworkAdapter => ({
  description,
  type,
  isUp,
  hasGateway: false,
});

describeNetwork("the Windows adapter", () => {
  return new WindowsNetwork({
    cost: () => 2,
    adapters: () => [ethernet, tunnel("WireGuard Tunnel", 53)],
    wirelessNames: () => ["Home"],
  });
});

describe("the network of Windows", () => {
  it("tells what it knows, and nothing of parts that this Windows lacks", async () => {
    const refuse = (): never => {
      throw new Error("class not registered");
    };
    const calls = { cost: refuse, adapters: refuse, wirelessNames: refuse };
    const found = await new WindowsNetwork(calls).state();
    expect(found).toMatchObject({ metered: undefined, vpn: undefined, wifiNames: undefined });
    const adapters = (): readonly NetworkAdapter[] => [ethernet];
    const known = { cost: () => 1, adapters, wirelessNames: () => [] };
    expect(await new WindowsNetwork(known).state()).toEqual({
      metered: false,
      vpn: false,
      wifiNames: [],
      online: true,
    });
  });

  it.each([
    [0, undefined],
    [1, false],
    [2, true],
    [4, true],
    [0x4_0001, true],
    [0x2_0001, false],
  ])("takes cost %i for metered: %s", (cost, metered) => {
    expect(isMeteredCost(cost)).toBe(metered);
  });

  it("takes adapters out of the memory that Windows fills, and no others", () => {
    const all = [ethernet, tunnel("Wintun Userspace Tunnel", 53, false)];
    const memory = adapterMemory(all);
    expect(decodeAdapters(memory, address)).toEqual(all);
    expect(decodeAdapters(new Uint8Array(0), address)).toEqual([]);
    // A pointer that leads elsewhere, or back to itself.
    const broken = Buffer.from(memory);
    broken.writeBigUInt64LE(1n, 8);
    expect(decodeAdapters(broken, address)).toEqual([ethernet]);
    broken.writeBigUInt64LE(address, 8);
    expect(decodeAdapters(broken, address)).toHaveLength(1000);
  });

  it.each([
    [ethernet, false],
    [tunnel("WAN Miniport (IKEv2)", 23), true],
    [tunnel("WAN Miniport (IKEv2)", 23, false), false],
    [tunnel("Microsoft Teredo Tunneling Adapter", 131), false],
    [tunnel("Contoso Tunnel", 131), true],
    [tunnel("TAP-Windows Adapter V9", 6), true],
    [tunnel("Tailscale Tunnel", 53), true],
    [tunnel("Hyper-V Virtual Ethernet Adapter", 6), false],
  ])("takes %o for a VPN: %s", (adapter, isVpn) => {
    expect(hasVpn([adapter])).toBe(isVpn);
  });

  it("takes names of wireless networks out of what Windows tells of connections", () => {
    const list = Buffer.alloc(8 + 2 * 532);
    list.writeUInt32LE(2, 0);
    list.fill(0xab, 8, 24);
    list.writeUInt32LE(4, 8 + 528);
    list.fill(0xcd, 8 + 532, 8 + 532 + 16);
    list.writeUInt32LE(1, 8 + 532 + 528);
    expect(decodeInterfaces(list).map((id) => Buffer.from(id).toString("hex"))).toEqual([
      "cd".repeat(16),
    ]);
    const connection = Buffer.alloc(600);
    connection.writeUInt32LE(1, 0);
    connection.write("profile", 8, "utf16le");
    connection.writeUInt32LE(6, 520);
    connection.write("Café\u0020x", 524);
    expect(decodeConnection(connection)).toBe("Café ");
    connection.writeUInt32LE(33, 520);
    expect(decodeConnection(connection)).toBe(undefined);
    expect(decodeConnection(new Uint8Array(8))).toBe(undefined);
  });
});
