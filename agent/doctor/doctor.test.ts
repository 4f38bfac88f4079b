import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Power } from "../../platform/ports/power.ts";
import type { SecretKeeper } from "../../platform/ports/secret-keeper.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { DoctorCheck } from "../../protocol/local-api/doctor-check.ts";
import { type DaemonFacts, daemonChecks } from "./daemon-checks.ts";
import { machineChecks } from "./machine-checks.ts";

const ownUid = process.getuid?.() ?? 0;
const nowMs = Date.UTC(2026, 6, 1);
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-doctor-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function machine(changes: { uid?: number; nowMs?: number; latestKnownMs?: number } = {}) {
  const { uid = ownUid, ...clock } = changes;
  const checks = machineChecks({
    directories: [{ path: path.join(folder, "state"), purpose: "state" }],
    ownUid: uid,
    nowMs,
    ...clock,
  });
  return byCode(checks);
}

function byCode(checks: readonly DoctorCheck[]): Record<string, DoctorCheck> {
  return Object.fromEntries(checks.map((check) => [check.code, check]));
}

it("a folder is judged by who may write to it and look into it", () => {
  const state = path.join(folder, "state");
  expect(machine()["state-directory"].verdict).toBe("unknown");
  writeFileSync(state, "");
  expect(machine()["state-directory"].verdict).toBe("bad");
  rmSync(state);
  mkdirSync(state, { mode: 0o700 });
  expect(machine()["state-directory"].verdict).toBe("good");
  chmodSync(state, 0o755);
  expect(machine()["state-directory"]).toMatchObject({ verdict: "warning" });
  chmodSync(state, 0o777);
  expect(machine()["state-directory"]).toMatchObject({ verdict: "bad" });
  expect(machine()["state-directory"].remedy).toContain("chmod go-w");
});

it.runIf(ownUid === 0)("a folder of another user is bad", async () => {
  const { chownSync } = await import("node:fs");
  const state = path.join(folder, "state");
  mkdirSync(state, { mode: 0o700 });
  chownSync(state, 12_345, 0);
  expect(machine()["state-directory"]).toMatchObject({
    verdict: "bad",
    text: expect.stringContaining("12345"),
  });
});

it("room is asked for where the folder will be", () => {
  expect(machine()["state-free-space"].text).toMatch(/^\d+\.\d GiB of \d+\.\d GiB are free\.$/);
});

it("a clock that can't be right, or went back, is told", () => {
  expect(machine()["clock"].verdict).toBe("good");
  expect(machine({ nowMs: 0 })["clock"].verdict).toBe("bad");
  expect(machine({ latestKnownMs: nowMs + 60_000 })["clock"].verdict).toBe("good");
  expect(machine({ latestKnownMs: nowMs + 3_600_000 })["clock"].verdict).toBe("warning");
});

const refuse = (): never => {
  throw new Error("not part of this test");
};

function keeper(names: readonly string[], machineBound = true): SecretKeeper {
  return {
    protection: machineBound ? "systemd-creds" : "file",
    machineBound,
    names: () => Promise.resolve(names),
    read: refuse,
    write: refuse,
    remove: refuse,
  };
}

const power: Power = {
  state: () => Promise.resolve({ onBattery: true, batteryPercent: 55 }),
  can: (action) =>
    Promise.resolve({ available: action !== "hibernate", reason: `about ${action}` }),
  keepAwake: refuse,
  perform: refuse,
  setWake: refuse,
};

const facts: DaemonFacts = {
  targets: [],
  secrets: keeper([]),
  secretsNeeded: [],
  power,
  powerActions: [],
  probes: new Map(),
};

async function daemon(changes: Partial<DaemonFacts>): Promise<readonly DoctorCheck[]> {
  return await daemonChecks({ ...facts, ...changes }, new AbortController().signal);
}

it("each target is tried, and a failure comes with its remedy", async () => {
  const checks = await daemon({
    targets: [
      { policy: "etc", place: "/mnt/a", reach: () => Promise.resolve() },
      {
        policy: "srv",
        place: "/mnt/b",
        reach: () => Promise.reject(new BackstayError("STORE_MISSING", { path: "/mnt/b" })),
      },
    ],
  });
  expect(checks[0]).toMatchObject({ title: "target of policy etc: /mnt/a", verdict: "good" });
  expect(checks[1]).toMatchObject({ verdict: "bad", remedy: expect.stringContaining("mounted") });
});

it("a target that does not answer is given up with the caller", async () => {
  const controller = new AbortController();
  const target = {
    policy: "etc",
    place: "/mnt/a",
    reach: (signal: AbortSignal) =>
      new Promise<void>((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("gone")));
      }),
  };
  const checks = daemonChecks({ ...facts, targets: [target] }, controller.signal);
  controller.abort(new Error("enough"));
  await expect(checks).rejects.toThrow("enough");
});

it("secrets are judged by how they are kept, and by which are missing", async () => {
  const secretsNeeded = ["a", "b", "b"];
  const bound = byCode(await daemon({ secrets: keeper(["a", "b"]), secretsNeeded }));
  expect(bound["secrets-protection"].verdict).toBe("good");
  expect(bound["secret-missing"]).toBeUndefined();
  const files = await daemon({ secrets: keeper(["a"], false), secretsNeeded });
  expect(byCode(files)["secrets-protection"].verdict).toBe("warning");
  expect(files.filter(({ code }) => code === "secret-missing")).toHaveLength(1);
  expect(byCode(files)["secret-missing"].title).toBe("secret b");
});

it("power and events are told, also where the system lacks them", async () => {
  const probes = new Map([
    ["logind", { available: true, reason: "systemd 252" }],
    ["UPower", { available: false, reason: "it is not on the bus" }],
  ]);
  const checks = byCode(await daemon({ powerActions: ["sleep", "hibernate", "sleep"], probes }));
  expect(checks["power"]).toMatchObject({ verdict: "good", text: "Battery, charged to 55 %." });
  expect(checks["power-sleep"].verdict).toBe("good");
  expect(checks["power-hibernate"]).toMatchObject({ verdict: "bad", text: "about hibernate" });
  expect(checks["events-logind"].verdict).toBe("good");
  expect(checks["events-UPower"]).toMatchObject({ verdict: "warning" });
  const unknown = { ...power, state: () => Promise.reject(new Error("no bus")) };
  expect(byCode(await daemon({ power: unknown }))["power"].verdict).toBe("unknown");
});
