import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type PrivateBus, startPrivateBus } from "../../test/dbus/private-bus.ts";
import { describeWithPrivateBus } from "../../test/dbus/with-private-bus.ts";
import { toolPath } from "../node/run-tool.ts";
import { describePower } from "../ports/power-contract.ts";
import { LinuxPower } from "./power.ts";

const nowhere = "unix:path=/nonexistent/bus";
const login = {
  destination: "org.freedesktop.login1",
  path: "/org/freedesktop/login1",
  interface: "org.freedesktop.login1.Manager",
};

describePower("the Linux adapter without a bus", () => new LinuxPower({ bus: nowhere }));

describe("without a bus", () => {
  it("reads the kernel's batteries, and tells that nothing can be done to the machine", async () => {
    const sysfs = mkdtempSync(join(tmpdir(), "backstay-sysfs-"));
    const power = new LinuxPower({ bus: nowhere, sysfs });
    expect(await power.state()).toEqual({ onBattery: undefined, batteryPercent: undefined });
    const supplies = join(sysfs, "class/power_supply");
    mkdirSync(join(supplies, "BAT0"), { recursive: true });
    expect(await power.state()).toEqual({ onBattery: false, batteryPercent: undefined });
    const text =
      "POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_STATUS=Discharging\nPOWER_SUPPLY_CAPACITY=7\n";
    writeFileSync(join(supplies, "BAT0/uevent"), text);
    expect(await power.state()).toEqual({ onBattery: true, batteryPercent: 7 });
    expect(await power.can("sleep")).toEqual({
      available: false,
      reason: "there is no system bus",
    });
    rmSync(sysfs, { recursive: true });
  });
});

describeWithPrivateBus("with logind and UPower", () => {
  let bus: PrivateBus;
  let power: LinuxPower;
  let sysfs: string;

  beforeAll(async () => {
    bus = await startPrivateBus("logind", "upower");
    sysfs = mkdtempSync(join(tmpdir(), "backstay-sysfs-"));
    mkdirSync(join(sysfs, "class/power_supply"), { recursive: true });
  });
  afterAll(async () => {
    await bus.stop();
    rmSync(sysfs, { recursive: true });
  });
  beforeEach(() => {
    power = new LinuxPower({ bus: bus.address, sysfs });
  });

  const answer = async (method: string, said: string): Promise<void> => {
    await bus.call({
      ...login,
      interface: "org.freedesktop.DBus.Mock",
      member: "AddMethod",
      signature: "sssss",
      body: [login.interface, method, "", "s", `ret = "${said}"`],
    });
  };
  /** The inhibitors that logind holds: what, mode and why of each. */
  const inhibitors = async (): Promise<readonly string[]> => {
    const [held] = await bus.call({ ...login, member: "ListInhibitors" });
    return (held as string[][]).map(([what, who, why, mode]) => `${what} ${mode} ${who}: ${why}`);
  };

  it("takes UPower's word where the kernel shows no battery", async () => {
    expect(await power.state()).toEqual({ onBattery: false, batteryPercent: undefined });
    await bus.setPower(true, 41.6);
    expect(await power.state()).toEqual({ onBattery: true, batteryPercent: 42 });
    await bus.setPower(false);
    expect(await power.state()).toEqual({ onBattery: false, batteryPercent: undefined });
  });

  it("asks whether an action is possible, then has it done", async () => {
    const actions = ["sleep", "hibernate", "shut-down"] as const;
    for (const action of actions) {
      expect(await power.can(action)).toEqual({ available: true, reason: "logind" });
      await power.perform(action);
    }
    const done = (await bus.calledMethods("logind")).filter((name) =>
      ["Suspend", "Hibernate", "PowerOff"].includes(name),
    );
    expect(done).toEqual(["Suspend", "Hibernate", "PowerOff"]);
  });

  it("does nothing that logind would refuse, and says why", async () => {
    const before = await bus.calledMethods("logind");
    for (const [said, reason] of [
      ["na", "this machine can't"],
      ["no", "logind does not allow it to this account"],
      ["challenge", "logind wants a person to agree first"],
      ["inhibited", "logind: inhibited"],
    ] as const) {
      await answer("CanHibernate", said);
      expect(await power.can("hibernate")).toEqual({ available: false, reason });
      await expect(power.perform("hibernate")).rejects.toThrow(
        new BackstayError("POWER_ACTION_FAILED", { action: "hibernate", reason }),
      );
    }
    await answer("CanHibernate", "yes");
    const later = (await bus.calledMethods("logind")).slice(before.length);
    expect(later).not.toContain("Hibernate");
  });

  it("keeps the machine awake until it is let go of, once for each who asked", async (context) => {
    if (toolPath("systemd-inhibit") === undefined) context.skip("needs systemd-inhibit");
    const first = await power.keepAwake('a run of "documents"');
    const second = await power.keepAwake("--another");
    const both = ["--another", 'a run of "documents"'].flatMap((why) => [
      `shutdown delay Backstay: ${why}`,
      `sleep:idle block Backstay: ${why}`,
    ]);
    expect([...(await inhibitors())].sort()).toEqual(both.sort());
    await first();
    await vi.waitFor(async () => expect(await inhibitors()).toHaveLength(2));
    expect(await inhibitors()).toContain("sleep:idle block Backstay: --another");
    await first();
    await second();
    await vi.waitFor(async () => expect(await inhibitors()).toEqual([]));
  });

  it("lets go when its process is killed", async (context) => {
    if (toolPath("systemd-inhibit") === undefined) context.skip("needs systemd-inhibit");
    const script = `
      import { LinuxPower } from ${JSON.stringify(fileURLToPath(new URL("power.ts", import.meta.url)))};
      await new LinuxPower({ bus: process.argv[1] }).keepAwake("a run");
      console.log("held");
      setInterval(() => undefined, 1000);
    `;
    const args = ["--input-type=module-typescript", "--eval", script, bus.address];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    expect(await inhibitors()).toHaveLength(2);
    child.kill("SIGKILL");
    await vi.waitFor(async () => expect(await inhibitors()).toEqual([]), 5_000);
  });
});
