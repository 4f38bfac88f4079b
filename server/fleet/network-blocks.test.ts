import { describe, expect, it } from "vitest";
import { isInNetworks, isNetworkBlock } from "./network-blocks.ts";

describe("network blocks", () => {
  it("hold the addresses in them, of either family, mapped ones too", () => {
    const blocks = ["10.1.0.0/16", "192.0.2.7", "2001:db8::/32"];
    for (const address of ["10.1.255.255", "::ffff:10.1.2.3", "192.0.2.7", "2001:db8::1"])
      expect(isInNetworks(address, blocks), address).toBe(true);
    for (const address of ["10.2.0.0", "192.0.2.8", "2001:db9::1", "::1", "", "host"])
      expect(isInNetworks(address, blocks), address).toBe(false);
    expect(isInNetworks("198.51.100.1", [])).toBe(true);
    expect(isInNetworks("198.51.100.1", ["0.0.0.0/0"])).toBe(true);
  });

  it("are told from other words", () => {
    for (const good of ["10.0.0.0/8", "0.0.0.0/0", "::/0", "10.1.2.3", "fe80::1/128"])
      expect(isNetworkBlock(good), good).toBe(true);
    for (const bad of [
      "10.0.0.0/33",
      "::/129",
      "10.0.0/8",
      "host/8",
      "10.0.0.0/8/8",
      "1.2.3.4/",
      "",
    ])
      expect(isNetworkBlock(bad), bad).toBe(false);
  });
});
