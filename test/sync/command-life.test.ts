/** Commands from the server's queue to a machine and back, whatever is lost, killed or set back on the way. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { CommandResult } from "../../agent/control/command-executor.ts";
import { agentApi } from "../../protocol/control/agent-api.ts";
import type { CommandOrder } from "../../protocol/control/command.ts";
import { sweepCommands } from "../../server/commands/command-sweep.ts";
import { eachDatabase } from "../server/each-database.ts";
import { addServerPolicy } from "../server/fleet-rows.ts";
import type { SyncMachine } from "./sync-machine.ts";
import { SyncScene } from "./sync-scene.ts";

const never = new AbortController().signal;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

eachDatabase("commands", (fresh) => {
  let scene: SyncScene;
  let machine: SyncMachine;

  beforeEach(async () => {
    scene = await SyncScene.open(await fresh());
    machine = await scene.machine();
  });
  afterEach(async () => await scene.close());

  const command = async (order: CommandOrder = { kind: "sync" }): Promise<string> =>
    (await scene.rooms.commands.create("test", null, { agentId: machine.id, order })).id;
  const isAboutState = ({ path }: { path: string }): boolean => path.endsWith("/state");
  const goesOnForEver = async (): Promise<CommandResult> =>
    await new Promise<CommandResult>(() => undefined);

  it("wait for a machine that is off, are done once, and tell how they ended", async () => {
    const id = await command();
    scene.ground.advance(20 * hourMs);
    expect(await scene.commandState(id)).toBe("queued");
    await machine.exchangeCommands();
    expect(machine.begun).toEqual([id]);
    expect(await scene.commandState(id)).toBe("succeeded");
    await machine.exchangeCommands();
    expect(machine.begun).toEqual([id]);
  });

  it("that a machine was off for too long for are not done", async () => {
    const id = await command();
    scene.ground.advance(dayMs + 1);
    await machine.exchangeCommands();
    await sweepCommands(scene.ground);
    expect(machine.begun).toEqual([]);
    expect(await scene.commandState(id)).toBe("expired");
  });

  it("are begun once though they are delivered again and again, and their result is sent until it has arrived", async () => {
    machine.calls.fate = (call) => (isAboutState(call) ? "request-lost" : "arrives");
    const id = await command();
    for (let times = 0; times < 3; times++)
      await expect(machine.exchangeCommands()).rejects.toThrow();
    expect(await scene.commandState(id)).toBe("queued");
    expect(machine.begun).toEqual([id]);
    machine.calls.fate = (call) => (isAboutState(call) ? "answer-lost" : "arrives");
    await expect(machine.exchangeCommands()).rejects.toThrow();
    expect(await scene.commandState(id)).toBe("succeeded");
    machine.calls.fate = () => "arrives";
    await machine.exchangeCommands();
    expect(machine.begun).toEqual([id]);
    expect(machine.daemon.state.commands.untold()).toEqual([]);
    expect(machine.calls.arrived.get(agentApi.commandState(id))).toBe(2);
  });

  it("that a machine was killed in are not begun again, and fail with the reason", async () => {
    machine.work = goesOnForEver;
    const id = await command();
    await machine.exchangeCommands();
    expect(await scene.commandState(id)).toBe("running");
    machine.kill();
    machine.daemon.runner.recover();
    await machine.exchangeCommands();
    expect(machine.begun).toEqual([id]);
    expect(machine.resumed).toEqual([id]);
    const { state, errorCode } = await scene.rooms.commands.get(null, id);
    expect({ state, errorCode }).toEqual({ state: "failed", errorCode: "COMMAND_INTERRUPTED" });
  });

  it("that a machine was killed before are begun after its start", async () => {
    const id = await command();
    // Taken, and gone before anything was done for it.
    const fetching = machine.daemon.runner.fetch(never);
    await expect.poll(() => machine.daemon.state.commands.get(id)).toBeDefined();
    await fetching;
    await machine.settled();
    const known = machine.daemon.state.commands.get(id);
    if (known === undefined) throw new Error("it was not taken");
    const progress = { ...known.progress, state: "accepted" } as const;
    machine.daemon.state.commands.put({ ...known, progress, isTold: false });
    machine.begun.length = 0;
    machine.kill();
    machine.daemon.runner.recover();
    await machine.settled();
    await machine.daemon.runner.tell(never);
    expect(machine.begun).toEqual([id]);
    expect(await scene.commandState(id)).toBe("succeeded");
  });

  it("are not done twice by a machine whose state is that of yesterday", async () => {
    await machine.daemon.runner.fetch(never);
    const restore = machine.backup();
    const done = await command();
    await machine.exchangeCommands();
    machine.work = goesOnForEver;
    const underWay = await command({ kind: "clear-cache" });
    await machine.exchangeCommands();
    expect(machine.begun).toEqual([done, underWay]);
    restore();
    machine.daemon.runner.recover();
    await machine.exchangeCommands();
    await machine.exchangeCommands();
    expect(machine.begun).toEqual([done, underWay]);
    expect(await scene.commandState(done)).toBe("succeeded");
    const { state, errorCode } = await scene.rooms.commands.get(null, underWay);
    expect({ state, errorCode }).toEqual({ state: "failed", errorCode: "COMMAND_FORGOTTEN" });
  });

  it("are asked for at each start, so that one which the machine has forgotten does not stay open", async () => {
    machine.work = goesOnForEver;
    const restore = machine.backup();
    const id = await command();
    await machine.exchangeCommands();
    restore();
    machine.startLoop();
    await expect.poll(async () => await scene.commandState(id), { timeout: 30_000 }).toBe("failed");
    expect(machine.begun).toEqual([id]);
  });

  it("are not stuck after the server's database was set back", async () => {
    const { ground, rooms } = scene;
    await rooms.memory.look();
    const results: PromiseWithResolvers<CommandResult>[] = [];
    machine.work = async () => {
      const result = Promise.withResolvers<CommandResult>();
      results.push(result);
      return await result.promise;
    };
    const running = await command();
    await machine.exchangeCommands();
    const queued = await command({ kind: "clear-cache" });
    const restore = await scene.backup();
    ground.advance(10 * hourMs);
    const younger = await command({ kind: "collect-logs" });
    await machine.exchangeCommands();
    for (const result of results) result.resolve({ state: "succeeded", text: "done" });
    await machine.settled();
    await machine.exchangeCommands();
    expect(machine.begun).toEqual([running, queued, younger]);
    await restore();
    await scene.restart();
    expect([await scene.commandState(running), await scene.commandState(queued)]).toEqual([
      "running",
      "queued",
    ]);
    machine.startLoop();
    for (const id of [running, queued])
      await expect
        .poll(async () => await scene.commandState(id), { timeout: 30_000 })
        .toBe("succeeded");
    expect(machine.begun).toEqual([running, queued, younger]);
    expect(await rooms.commands.list(null, { after: null, limit: 9 })).toHaveLength(2);
  });

  it("of the server's schedule come to a machine that was off once, for the newest time", async () => {
    const { ground, rooms } = scene;
    const document = {
      version: 1 as const,
      name: "nightly",
      source: { paths: ["/home"] },
      destination: { repository: "backstay:main" },
      encryption: { password: { secret: "automatic" } },
      schedule: { timers: [{ every: "day" as const, at: "13:00" }], timeZone: "UTC" },
    };
    await rooms.repositories.create("test", scene.tenantId, {
      name: "main",
      routes: [{ kind: "gateway" }],
      quotas: {},
    });
    await addServerPolicy(ground, scene.tenantId, document, [machine.id]);
    const orders: CommandOrder[] = [];
    machine.work = async ({ order }) => {
      orders.push(order);
      return await Promise.resolve({ state: "succeeded", text: "done", sessionId: "s" });
    };
    await rooms.schedule.look();
    for (let days = 0; days < 3; days++) {
      ground.advance(dayMs);
      await rooms.schedule.look();
    }
    await machine.exchangeCommands();
    await rooms.schedule.look();
    await machine.exchangeCommands();
    expect(orders).toEqual([{ kind: "run", policy: "nightly", cause: "schedule" }]);
    const made = await rooms.commands.list(null, { after: null, limit: 9 });
    expect(made.map(({ state }) => state).toSorted()).toEqual([
      "canceled",
      "canceled",
      "succeeded",
    ]);
  });
});
