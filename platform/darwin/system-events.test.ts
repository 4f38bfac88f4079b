import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { playMac, recorded } from "../../test/other-systems/played-mac.ts";
import type { PolledMachine } from "../node/polled-events.ts";
import type { MountedFileSystem } from "../ports/removable-media.ts";
import type { SystemEvent } from "../ports/system-events.ts";
import { describeSystemEvents } from "../ports/system-events-contract.ts";
import { MountedVolumes } from "./mounted-volumes.ts";
import type { StoreChange } from "./store-watch.ts";
import { DarwinSystemEvents, darwinMachine } from "./system-events.ts";

/** A Mac whose programs print what happened last. */
function playScene(): {
  events: DarwinSystemEvents;
  cause(kind: SystemEvent["kind"]): Promise<void>;
  end(): Promise<void>;
} {
  const outputs: Record<string, string> = {};
  const real = darwinMachine(playMac(outputs).commands);
  const users = "ioreg -n Root -d1 -a";
  let sleptMs = 0;
  let setMs = 0;
  let volumes: readonly MountedFileSystem[] = [];
  const machine: PolledMachine = {
    ...real,
    drives: async () => volumes,
    timeZone: () => "UTC",
    addresses: () => "en0 192.168.1.23/24",
    clocks: () => {
      const awakeMs = performance.now();
      const bootMs = awakeMs + sleptMs;
      return { awakeMs, bootMs, wallMs: 1.8e12 + bootMs + setMs };
    },
  };
  let tell: (change: StoreChange) => void = () => undefined;
  const watch = (changed: (change: StoreChange) => void): (() => void) => {
    tell = changed;
    return () => {
      tell = () => undefined;
    };
  };
  const cause = async (kind: SystemEvent["kind"]): Promise<void> => {
    if (kind === "lock") outputs[users] = recorded("ioreg-locked.plist");
    if (kind === "unlock" || kind === "log-on") outputs[users] = recorded("ioreg-unlocked.plist");
    if (kind === "log-off") outputs[users] = "<plist><dict/></plist>";
    if (kind === "log-on" || kind === "log-off") tell("users");
    if (kind === "network-change") for (let piece = 0; piece < 3; piece += 1) tell("network");
    if (kind === "power-change") {
      outputs["pmset -g batt"] = recorded("pmset-batt-charging.txt");
      tell("power");
    }
    if (kind === "resume") sleptMs += 3_600_000;
    if (kind === "time-change") setMs -= 7_200_000;
    if (kind === "mounted")
      volumes = [{ path: "/Volumes/STICK", id: "1", removable: true, isNetwork: false }];
    if (kind === "unmounted") volumes = [];
  };
  const events = new DarwinSystemEvents({ machine, watch, tickMs: 5 });
  return { events, cause, end: async () => undefined };
}

describeSystemEvents("the macOS adapter", async () => playScene(), [
  "lock",
  "unlock",
  "log-off",
  "log-on",
  "mounted",
  "unmounted",
  "network-change",
  "power-change",
  "time-change",
  "resume",
]);

describe("the macOS adapter", () => {
  it("says why sessions can't be told", async () => {
    const commands = playMac({ "ioreg -n Root -d1 -a": { exitCode: 1, problem: "no registry" } });
    const machine: PolledMachine = {
      ...darwinMachine(commands.commands),
      clocks: () => ({ wallMs: Date.now(), awakeMs: 1, bootMs: 1 }),
    };
    const events = new DarwinSystemEvents({ machine, watch: () => undefined });
    const probes = await events.start(() => undefined);
    expect(probes.get("sessions")).toEqual({ available: false, reason: "no registry" });
    expect(await events.isLocked()).toBe(undefined);
    await events.stop();
  });
});

describe("MountedVolumes", () => {
  it("asks the system only when the folder of volumes changes, and now and then", async () => {
    const folder = mkdtempSync(join(tmpdir(), "backstay-volumes-"));
    const list = vi.fn(async () => []);
    const volumes = new MountedVolumes(list, folder);
    await volumes.list();
    await volumes.list();
    expect(list).toHaveBeenCalledTimes(1);
    mkdirSync(join(folder, "STICK"));
    await volumes.list();
    await volumes.list();
    expect(list).toHaveBeenCalledTimes(2);
    for (let look = 0; look < 30; look += 1) await volumes.list();
    expect(list).toHaveBeenCalledTimes(3);
    rmSync(folder, { recursive: true });
  });
});
