import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type PrivateBus, startPrivateBus } from "../../test/dbus/private-bus.ts";
import { describeWithPrivateBus } from "../../test/dbus/with-private-bus.ts";
import { describeNetwork } from "../ports/network-contract.ts";
import { LinuxNetwork } from "./network.ts";

const nowhere = "unix:path=/nonexistent/bus";

describeNetwork("the Linux adapter without a bus", () => new LinuxNetwork({ bus: nowhere }));

it("knows without NetworkManager that a machine without wireless devices is in no such network", async () => {
  const folder = mkdtempSync(join(tmpdir(), "backstay-net-"));
  const network = new LinuxNetwork({ bus: nowhere, files: { proc: folder, sysfs: folder } });
  expect(await network.state()).toEqual({
    metered: undefined,
    vpn: false,
    wifiNames: [],
    online: false,
  });
  mkdirSync(join(folder, "class/net/wlan0"), { recursive: true });
  writeFileSync(join(folder, "class/net/wlan0/phy80211"), "");
  expect((await network.state()).wifiNames).toBe(undefined);
  rmSync(folder, { recursive: true });
});

describeWithPrivateBus("with NetworkManager", () => {
  let bus: PrivateBus;
  beforeAll(async () => {
    bus = await startPrivateBus("networkManager");
  });
  afterAll(async () => await bus.stop());

  const open = (): LinuxNetwork => new LinuxNetwork({ bus: bus.address });
  describeNetwork("the Linux adapter with NetworkManager", open);

  it("takes guesses about a metered network for the truth", async () => {
    const said = [];
    for (const number of [0, 1, 2, 3, 4] as const) {
      await bus.setMetered(number);
      said.push((await open().state()).metered);
    }
    expect(said).toEqual([undefined, true, false, true, false]);
  });

  it("knows wireless networks by name, and VPNs by kind", async () => {
    const states = [];
    for (const connections of [
      [],
      [{ type: "802-3-ethernet" }],
      [{ type: "802-11-wireless", wifiName: "Café 5 GHz" }],
      [{ type: "802-11-wireless", wifiName: "home" }, { type: "vpn" }],
      [{ type: "802-3-ethernet" }, { type: "wireguard" }],
    ]) {
      await bus.setConnections(connections);
      const { wifiNames, vpn } = await open().state();
      states.push([wifiNames, vpn]);
    }
    expect(states).toEqual([
      [[], false],
      [[], false],
      [["Café 5 GHz"], false],
      [["home"], true],
      [[], true],
    ]);
  });
});
