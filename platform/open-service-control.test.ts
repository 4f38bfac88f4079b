import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { NotifyServer } from "../test/notified-process/notify-server.ts";
import { type StartedService, startService } from "../test/notified-process/started-service.ts";
import { describeServiceControl } from "./ports/service-control-contract.ts";

const base = mkdtempSync(join(tmpdir(), "backstay-service-"));
/** Nodes start slowly on a busy machine. */
const patience = { timeout: 15_000 };
const servers: NotifyServer[] = [];
const services: StartedService[] = [];
let names = 0;

afterEach(() => {
  for (const { child } of services.splice(0)) child.kill("SIGKILL");
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

function start(variables: Readonly<Record<string, string>> = {}): StartedService {
  const service = startService(variables);
  services.push(service);
  return service;
}

/** A manager, at a path or a name without one. */
function serve(kind: "path" | "name" = "path"): { server: NotifyServer; address: string } {
  names += 1;
  const address =
    kind === "path" ? join(base, `notify-${names}`) : `@backstay-${process.pid}-${names}`;
  const server = new NotifyServer(address);
  servers.push(server);
  return { server, address };
}

function spoken(server: NotifyServer): string[] {
  return server.messages().filter((message) => message !== "WATCHDOG=1");
}

describe.skipIf(process.platform === "win32")("a service started by hand", () => {
  describeServiceControl("nobody", "none", async () => start());

  it("takes Ctrl-C as a wish to end, and a closed terminal too", async (context) => {
    const interrupted = start();
    await expect.poll(() => interrupted.lines().length, patience).toBe(1);
    interrupted.child.kill("SIGINT");
    expect(await interrupted.exitCode).toBe(0);
    expect(interrupted.lines().at(-1)).toBe("stop");

    if (!spawnSync("script", ["--version"], { encoding: "utf8" }).stdout?.includes("util-linux"))
      context.skip("script of util-linux not found");
    // Its output goes to a file: the terminal is about to be gone.
    const program = fileURLToPath(
      new URL("../test/notified-process/obedient-service.ts", import.meta.url),
    );
    const log = join(base, "closed-terminal");
    const line = `exec '${process.execPath}' '${program}' > '${log}' 2>&1`;
    const terminal = spawn("script", ["-qc", line, "/dev/null"], { stdio: "ignore" });
    const lines = (): string[] =>
      existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : [];
    await expect.poll(() => lines().length, patience).toBe(1);
    const { processId } = JSON.parse(lines()[0]) as { processId: number };
    process.kill(processId, "SIGHUP");
    await expect.poll(() => lines().slice(1), patience).toEqual(["reload"]);
    terminal.kill("SIGKILL");
    await expect.poll(() => lines().slice(1), patience).toEqual(["reload", "stop"]);
  });
});

describe.runIf(process.platform === "linux")("a service of systemd", () => {
  describeServiceControl("systemd", "systemd", async () =>
    start({ NOTIFY_SOCKET: serve().address }),
  );

  it.each(["path", "name"] as const)("tells its manager how it is, at a %s", async (kind) => {
    const { server, address } = serve(kind);
    const service = start({ NOTIFY_SOCKET: address, WATCHDOG_USEC: "3000000" });
    await expect
      .poll(() => spoken(server), patience)
      .toEqual(["STATUS=starting", "READY=1\nSTATUS=idle", "STATUS=busy: ünïcode"]);
    expect(JSON.parse(service.lines()[0])).toMatchObject({ watchdogMs: 3000 });
    await expect.poll(() => server.messages(), patience).toContain("WATCHDOG=1");
    const before = process.hrtime.bigint() / 1000n;
    await service.ask("reload");
    await expect.poll(() => spoken(server).length, patience).toBe(5);
    const [reloading, ready] = spoken(server).slice(3);
    const micros = BigInt(/^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(reloading)?.[1] ?? "");
    expect(micros).toBeGreaterThanOrEqual(before);
    expect(micros).toBeLessThanOrEqual(process.hrtime.bigint() / 1000n);
    expect(ready).toBe("READY=1\nSTATUS=read again");
    await service.ask("stop");
    await service.exitCode;
    expect(spoken(server).slice(5)).toEqual([
      "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000",
      "STOPPING=1\nEXTEND_TIMEOUT_USEC=2500000",
    ]);
  });

  it("is not watched if the watchdog waits for another process", async () => {
    const { address } = serve();
    const watchdog = { WATCHDOG_USEC: "3000000", WATCHDOG_PID: "1" };
    const service = start({ NOTIFY_SOCKET: address, ...watchdog });
    await expect.poll(() => service.lines().length, patience).toBe(1);
    expect(JSON.parse(service.lines()[0])).toMatchObject({ watchdogMs: null });
  });

  it("goes on when nobody listens, or not at an address that it knows", async () => {
    const tooLong = `/${"x".repeat(200)}`;
    for (const [address, kind] of [
      [join(base, "nobody"), "systemd"],
      ["vsock:2:1234", "none"],
      [tooLong, "none"],
      ["", "none"],
    ]) {
      const service = start({ NOTIFY_SOCKET: address, WATCHDOG_USEC: "garbage" });
      await expect.poll(() => service.lines().length, patience).toBe(1);
      expect(JSON.parse(service.lines()[0])).toMatchObject({ kind, watchdogMs: null });
      await service.ask("stop");
      expect(await service.exitCode).toBe(0);
    }
  });
});
