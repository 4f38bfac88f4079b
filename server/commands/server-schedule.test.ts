import { expect, it } from "vitest";
import type { PolicyDocument } from "../../protocol/policy/policy.ts";
import {
  addHeardMachine,
  addMachine,
  addServerPolicy,
  addTenant,
} from "../../test/server/fleet-rows.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import { type CommandSigner, Commands } from "./commands.ts";
import { ServerSchedule } from "./server-schedule.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const signer: CommandSigner = async () => JSON.stringify;
const all = { after: null, limit: 1000 };

function daily(schedule: Partial<PolicyDocument["schedule"]> = {}): PolicyDocument {
  return {
    version: 1,
    name: "nightly",
    source: { paths: ["/home"] },
    destination: { repository: "backstay:main" },
    encryption: { password: { secret: "automatic" } },
    schedule: { timers: [{ every: "day", at: "13:00" }], timeZone: "UTC", ...schedule },
  };
}

eachGround("the server's schedule", (ground) => {
  const scene = async (document: PolicyDocument, zones: readonly (string | undefined)[]) => {
    const tenantId = await addTenant(ground());
    const machines: string[] = [];
    for (const timeZone of zones)
      machines.push(
        timeZone === undefined
          ? await addMachine(ground(), tenantId)
          : await addHeardMachine(ground(), tenantId, {}, { facts: { timeZone } }),
      );
    await addServerPolicy(ground(), tenantId, document, machines);
    const schedule = new ServerSchedule(ground(), signer);
    const commands = new Commands(ground(), signer);
    const made = async (state = "queued") =>
      (await commands.list(null, all))
        .filter((command) => command.state === state)
        .map(({ agentId, order, expiresMs }) => ({
          machine: machines.indexOf(agentId),
          order,
          lastsMs: expiresMs - ground().now(),
        }))
        .sort((a, b) => a.machine - b.machine);
    // Begins to count.
    await schedule.look();
    return { schedule, commands, made, machines };
  };
  const order = { kind: "run", policy: "nightly", cause: "schedule" };

  it("makes one command for each machine when the time has come, however often it looks", async () => {
    const { schedule, made } = await scene(daily(), [undefined, undefined]);
    ground().advance(59 * minuteMs);
    await schedule.look();
    expect(await made()).toEqual([]);
    ground().advance(minuteMs);
    await Promise.all([schedule.look(), new ServerSchedule(ground(), signer).look()]);
    await schedule.look();
    const lastsMs = 7 * 24 * hourMs;
    expect(await made()).toEqual([
      { machine: 0, order, lastsMs },
      { machine: 1, order, lastsMs },
    ]);
    // As after a server that died before it noted its look.
    await ground().database.updateTable("server_facts").set({ value: "0" }).execute();
    await schedule.look();
    expect(await made()).toHaveLength(2);
  });

  it("wakes whom it has something for", async () => {
    const { schedule, machines } = await scene(daily(), [undefined]);
    let woken = 0;
    ground().wakeups.subscribe(`agent:${machines[0]}`, () => woken++);
    ground().advance(hourMs);
    await schedule.look();
    await schedule.look();
    expect(woken).toBe(1);
  });

  it("goes by the zone of each machine if the policy names none", async () => {
    // 12:00 UTC is 14:00 in Berlin and 08:00 in New York: 13:00 comes after 23, 1 and 5 hours.
    const document = daily({ timeZone: undefined } as Partial<PolicyDocument["schedule"]>);
    const zones = ["Europe/Berlin", undefined, "America/New_York", "Mars/Olympus"];
    const { schedule, made } = await scene(document, zones);
    const served = async () => (await made()).map(({ machine }) => machine);
    ground().advance(hourMs);
    await schedule.look();
    expect(await served()).toEqual([1, 3]);
    ground().advance(4 * hourMs);
    await schedule.look();
    expect(await served()).toEqual([1, 2, 3]);
    ground().advance(18 * hourMs);
    await schedule.look();
    expect(await served()).toEqual([0, 1, 2, 3]);
  });

  it("gives a machine that was off for days the newest run only", async () => {
    const { schedule, made } = await scene(daily(), [undefined]);
    for (let day = 0; day < 3; day++) {
      ground().advance(day === 0 ? hourMs : 24 * hourMs);
      await schedule.look();
    }
    expect(await made()).toHaveLength(1);
    expect(await made("canceled")).toHaveLength(2);
  });

  it("lets a run that may not be made up for expire with its tolerance", async () => {
    const missed = { action: "skip", tolerance: "30m" } as const;
    const { schedule, made } = await scene(daily({ missed }), [undefined]);
    ground().advance(hourMs + 10 * minuteMs);
    await schedule.look();
    expect(await made()).toEqual([{ machine: 0, order, lastsMs: 20 * minuteMs }]);
  });

  it("makes up for slots while no server ran, unless the policy skips those", async () => {
    const { schedule, made } = await scene(daily(), [undefined]);
    const skipping = daily({ missed: { action: "skip" } });
    const tenantId = await addTenant(ground());
    const machine = await addMachine(ground(), tenantId);
    await addServerPolicy(ground(), tenantId, skipping, [machine]);
    ground().advance(3 * 24 * hourMs + 3 * hourMs);
    await schedule.look();
    expect((await made()).map(({ machine: index }) => index)).toEqual([0]);
  });

  it("goes on when the server's clock was wrong and is set back", async () => {
    const { schedule, made } = await scene(daily(), [undefined]);
    ground().advance(1000 * 24 * hourMs);
    await schedule.look();
    ground().advance(-1000 * 24 * hourMs);
    await schedule.look();
    ground().advance(hourMs);
    await schedule.look();
    expect(await made()).toHaveLength(1);
  });
});
