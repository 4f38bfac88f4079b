import { expect, it } from "vitest";
import { addMachine, addTenant } from "../../test/server/fleet-rows.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import { Commands } from "../commands/commands.ts";
import { raiseTenantRevision } from "../ground/tenant-revision.ts";
import { BundleTurns } from "./bundle-turns.ts";
import { WakeDesk, type WakeOutcome } from "./wake-desk.ts";

const never = new AbortController().signal;
/** Of an agent that knows of no commands and of the tenant as it was made. */
const start = "1-";

eachGround("held requests", (ground) => {
  const scene = async (
    settings: { hold?: number; spread?: number; most?: number; together?: number } = {},
  ) => {
    const { hold = 30, spread = 0, most = 10, together = 10 } = settings;
    const stopping = new AbortController();
    const shared = {
      ...ground(),
      now: ground().now,
      signal: stopping.signal,
      settings: {
        ...ground().settings,
        wakeHoldSeconds: hold,
        bundleSpreadSeconds: spread,
        wakesMax: most,
      },
    };
    const desk = new WakeDesk(shared, new BundleTurns(() => false, together), () => 0.5);
    const tenantId = await addTenant(ground());
    const agent = { id: await addMachine(ground(), tenantId), tenantId };
    const commands = new Commands(ground(), async () => JSON.stringify);
    const order = { kind: "sync" } as const;
    const command = async () => await commands.create("x", null, { agentId: agent.id, order });
    const change = async (tells = true) => {
      await raiseTenantRevision(ground().database, tenantId);
      if (tells) await ground().wakeups.publish(`tenant:${tenantId}`);
    };
    const compiled = async (revision: number) =>
      await ground()
        .database.insertInto("bundles")
        .values({
          agent_id: agent.id,
          tenant_id: tenantId,
          serial: 1,
          content_hash: "",
          hash: "",
          jws: "",
          revision,
          created_ms: 1,
        })
        .execute();
    const held = async (count: number) => {
      while (desk.held !== count) await new Promise((resolve) => setTimeout(resolve, 2));
    };
    return { desk, agent, tenantId, commands, command, change, compiled, held, stopping };
  };
  const answerOf = (outcome: WakeOutcome) => {
    if (outcome.kind !== "news") throw new Error(`no news but ${outcome.kind}`);
    return outcome.answer;
  };

  it("are answered by a command as soon as there is one", async () => {
    const { desk, agent, command, held } = await scene();
    const waiting = desk.wait(agent, "", never);
    await held(1);
    await command();
    const answer = answerOf(await waiting);
    expect(answer).toMatchObject({ commands: 1, bundle: false });
    expect(desk.held).toBe(0);
  });

  it("are answered by another bundle, and miss nothing between two of them", async () => {
    const { desk, agent, change, command, held } = await scene();
    const waiting = desk.wait(agent, start, never);
    await held(1);
    await change();
    const first = answerOf(await waiting);
    expect(first).toMatchObject({ bundle: true, commands: 0 });
    await change();
    await command();
    const second = answerOf(await desk.wait(agent, first.cursor, never));
    expect(second).toMatchObject({ bundle: true, commands: 1 });
    const third = desk.wait(agent, second.cursor, never);
    await held(1);
    await command();
    expect(answerOf(await third)).toMatchObject({ bundle: false, commands: 1 });
  });

  it("do not tell the same twice, so that nobody asks again and again", async () => {
    const { desk, agent, command, stopping } = await scene();
    await command();
    const { cursor } = answerOf(await desk.wait(agent, "", never));
    const again = desk.wait(agent, cursor, never);
    await ground().wakeups.publish(`agent:${agent.id}`);
    stopping.abort();
    expect((await again).kind).toBe("nothing");
  });

  it("know without a cursor what the agent's bundle was compiled for", async () => {
    const { desk, agent, change, compiled } = await scene();
    await compiled(1);
    await change(false);
    expect(answerOf(await desk.wait(agent, "", never))).toMatchObject({ bundle: true });
    expect(answerOf(await desk.wait(agent, "nonsense", never))).toMatchObject({ bundle: true });
  });

  it("without a cursor hear of what changes while they are held", async () => {
    const { desk, agent, change, held } = await scene();
    const waiting = desk.wait(agent, "", never);
    await held(1);
    // Until it has looked for the first time, there is nothing to compare with.
    let isOver = false;
    void waiting.then(() => {
      isOver = true;
    });
    while (!isOver) {
      await change();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(answerOf(await waiting)).toMatchObject({ bundle: true });
  });

  it("end with nothing after the hold time, when the agent goes away, and when the server ends", async () => {
    const { desk, agent, held } = await scene({ hold: 0.05 });
    expect(await desk.wait(agent, "", never)).toEqual({ kind: "nothing" });
    const other = await scene();
    const gone = new AbortController();
    const left = other.desk.wait(other.agent, "", gone.signal);
    await other.held(1);
    gone.abort();
    expect(await left).toEqual({ kind: "nothing" });
    expect(other.desk.held).toBe(0);
    const last = other.desk.wait(other.agent, "", never);
    await other.held(1);
    other.stopping.abort();
    expect(await last).toEqual({ kind: "nothing", retryAfterSeconds: 15 });
    await held(0);
  });

  it("are bounded: one for each agent, and none beyond the most", async () => {
    const { desk, agent, tenantId, command, held } = await scene({ most: 1 });
    const lost = desk.wait(agent, "", never);
    await held(1);
    const waiting = desk.wait(agent, "", never);
    expect(await lost).toEqual({ kind: "nothing" });
    const another = { id: await addMachine(ground(), tenantId), tenantId };
    expect(await desk.wait(another, "", never)).toEqual({ kind: "off" });
    await command();
    expect(answerOf(await waiting)).toMatchObject({ commands: 1 });
  });

  it("are told of another bundle one by one, but of a command at once", async () => {
    const { desk, agent, change, command, held } = await scene({ hold: 3600, spread: 3600 });
    const waiting = desk.wait(agent, start, never);
    await held(1);
    await change();
    await held(1);
    await command();
    const { cursor, ...news } = answerOf(await waiting);
    expect(news).toEqual({ bundle: false, commands: 1 });
    // Who comes back late asks at once.
    expect(answerOf(await desk.wait(agent, cursor, never))).toMatchObject({ bundle: true });
  });

  it("are told of another bundle when those before them got theirs", async () => {
    const { desk, agent, tenantId, change, held } = await scene({ together: 1 });
    const another = { id: await addMachine(ground(), tenantId), tenantId };
    await change(false);
    expect(answerOf(await desk.wait(agent, start, never))).toMatchObject({ bundle: true });
    const waiting = desk.wait(another, start, never);
    await held(1);
    desk.fetched(agent.id);
    expect(answerOf(await waiting)).toMatchObject({ bundle: true });
  });

  it("come back for another bundle if their turn did not come while they were held", async () => {
    const { desk, agent, tenantId, change } = await scene({ hold: 0.05, together: 1 });
    const another = { id: await addMachine(ground(), tenantId), tenantId };
    await change(false);
    await desk.wait(agent, start, never);
    expect(await desk.wait(another, start, never)).toEqual({ kind: "nothing" });
    desk.fetched(agent.id);
    expect(answerOf(await desk.wait(another, start, never))).toMatchObject({ bundle: true });
  });
});
