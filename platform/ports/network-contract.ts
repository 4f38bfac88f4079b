/** What every adapter of the network port does, as tests. */
import { describe, expect, it } from "vitest";
import type { Network } from "./network.ts";

/** Declares the suite for one adapter. */
export function describeNetwork(name: string, open: () => Network): void {
  describe(`${name} as network`, () => {
    it("tells what it knows, and undefined for the rest", async () => {
      const { metered, vpn, online, wifiNames } = await open().state();
      for (const fact of [metered, vpn, online]) expect([true, false, undefined]).toContain(fact);
      for (const wifiName of wifiNames ?? []) expect(wifiName).toMatch(/\S/);
    });

    it("answers several at once alike", async () => {
      const network = open();
      const [first, ...others] = await Promise.all([1, 2, 3, 4].map(() => network.state()));
      for (const other of others) expect(other).toEqual(first);
    });
  });
}
