/** Tries the Windows adapters on Windows or Wine, and prints what each did. Exits with 1 if one did not what it should. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import koffi from "koffi";
import { openNetwork } from "../../platform/open-network.ts";
import { openPower } from "../../platform/open-power.ts";
import { openProcessLimits } from "../../platform/open-process-limits.ts";
import { openRemovableMedia } from "../../platform/open-removable-media.ts";
import { openSecretKeeper } from "../../platform/open-secret-keeper.ts";
import { openServiceControl } from "../../platform/open-service-control.ts";
import { openSystemEvents } from "../../platform/open-system-events.ts";
import { openUserAccounts } from "../../platform/open-user-accounts.ts";

const folder = mkdtempSync(path.join(tmpdir(), "backstay-trial-"));
const trials: Readonly<Record<string, () => Promise<unknown>>> = {
  power: tryPower,
  network: async () => await openNetwork(process.env).state(),
  drives: tryDrives,
  secrets: trySecrets,
  processes: tryProcesses,
  accounts: async () => await openUserAccounts(process.env).list(),
  events: tryEvents,
  "a process that is no service": async () => {
    assert.equal(openServiceControl(process.env).kind, "none");
  },
  "a service": tryService,
};

for (const [name, attempt] of Object.entries(trials)) {
  try {
    console.log(`ok   ${name}: ${JSON.stringify(await attempt())}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAIL ${name}: ${error instanceof Error ? error.stack : String(error)}`);
  }
}
rmSync(folder, { recursive: true, force: true });
process.exit();

async function tryPower(): Promise<unknown> {
  const power = openPower(process.env);
  const release = await power.keepAwake("a trial");
  await release();
  await release();
  const wake = await power.setWake(Date.now() + 86_400_000);
  assert.deepEqual(await power.setWake(undefined), wake);
  const can = await Promise.all(
    (["sleep", "hibernate", "shut-down"] as const).map(async (action) => await power.can(action)),
  );
  return { state: await power.state(), can: can.map(({ available }) => available), wake };
}

async function tryDrives(): Promise<unknown> {
  const media = openRemovableMedia(process.env);
  const mounted = await media.mounted();
  assert.ok(mounted.length > 0);
  await assert.rejects(media.eject(path.parse(process.execPath).root), { code: "EJECT_FAILED" });
  return mounted;
}

async function trySecrets(): Promise<unknown> {
  const keeper = await openSecretKeeper(folder);
  await keeper.write("trial", Buffer.from("a secret of some length"));
  const again = await openSecretKeeper(folder);
  assert.equal(Buffer.from(await again.read("trial")).toString(), "a secret of some length");
  const file = readFileSync(path.join(folder, "secrets", "trial.secret"), "utf8");
  assert.equal((JSON.parse(file) as { protection: string }).protection, "dpapi");
  await again.remove("trial");
  return keeper.protection;
}

async function tryProcesses(): Promise<unknown> {
  const limits = openProcessLimits();
  limits.yieldToOthers();
  const { pid } = process;
  const start = limits.startOf(pid);
  assert.equal(limits.startOf(pid), start);
  assert.match(start ?? "", /^\d+$/);
  assert.ok((limits.residentBytes(pid) ?? 0) > 1_000_000);
  assert.equal(limits.startOf(999_999_998), undefined);
  assert.deepEqual(limits.boot().id, limits.boot().id);
  return { start, residentBytes: limits.residentBytes(pid), boot: limits.boot() };
}

async function tryEvents(): Promise<unknown> {
  const events = openSystemEvents(process.env);
  const told: string[] = [];
  const probes = await events.start(({ kind }) => told.push(kind));
  await sleep(5_000);
  const isLocked = await events.isLocked();
  await events.stop();
  assert.deepEqual(told, []);
  return { probes: Object.fromEntries(probes), isLocked };
}

/** Has the manager install, start, ask, stop and remove a service. */
async function tryService(): Promise<unknown> {
  const library = koffi.load("advapi32.dll");
  const openManager = library.func("intptr_t OpenSCManagerW(void *, void *, uint32_t)");
  const create = library.func(
    "intptr_t CreateServiceW(intptr_t, str16, str16, uint32_t, uint32_t, uint32_t, uint32_t, str16, void *, void *, void *, void *, void *)",
  );
  const start = library.func("int StartServiceW(intptr_t, uint32_t, void *)");
  const control = library.func("int ControlService(intptr_t, uint32_t, _Out_ uint32_t *)");
  const query = library.func("int QueryServiceStatus(intptr_t, _Out_ uint32_t *)");
  const remove = library.func("int DeleteService(intptr_t)");
  const manager = openManager(null, null, 0xf003f) as number;
  const file = path.join(folder, "service.log");
  const program = fileURLToPath(new URL("trial-service.ts", import.meta.url));
  const command = `"${process.execPath}" "${program}" "${file}"`;
  const name = `backstay-trial-${process.pid}`;
  const nothing = [null, null, null, null, null] as const;
  const service = create(manager, name, name, 0xf01ff, 0x10, 3, 1, command, ...nothing) as number;
  assert.notEqual(service, 0, "CreateServiceW");
  const status = new Uint32Array(7);
  const until = async (state: number): Promise<void> => {
    for (let attempt = 0; attempt < 300; attempt += 1) {
      assert.notEqual(query(service, status), 0, "QueryServiceStatus");
      if (status[1] === state) return;
      await sleep(100);
    }
    throw new Error(`the service is in state ${status[1]}, not ${state}`);
  };
  try {
    assert.notEqual(start(service, 0, null), 0, "StartServiceW");
    await until(4);
    assert.notEqual(control(service, 6, status), 0, "ControlService PARAMCHANGE");
    await sleep(500);
    assert.notEqual(control(service, 1, status), 0, "ControlService STOP");
    await until(1);
  } finally {
    remove(service);
  }
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  assert.equal(lines[0], "kind windows");
  assert.deepEqual(lines.slice(-2), ["reload", "stop"]);
  return lines;
}
