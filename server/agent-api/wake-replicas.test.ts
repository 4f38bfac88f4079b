import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { addMachine, addTenant } from "../../test/server/fleet-rows.ts";
import {
  type PostgresCluster,
  postgresPrograms,
  startPostgres,
} from "../../test/server/postgres-cluster.ts";
import { makeTestGround, type TestGround } from "../../test/server/test-ground.ts";
import { Commands } from "../commands/commands.ts";
import { type OpenDatabase, openDatabase } from "../database/open-database.ts";
import { PostgresWakeups } from "../ground/postgres-wakeups.ts";
import { raiseTenantRevision } from "../ground/tenant-revision.ts";
import { WakeDesk, type WakeOutcome } from "./wake-desk.ts";

const never = new AbortController().signal;
const known = "1-";

describe.skipIf(postgresPrograms() === undefined)("held requests of two replicas", () => {
  let cluster: PostgresCluster;
  let ground: TestGround;
  let opened: OpenDatabase;
  let hearing: PostgresWakeups;
  let deaf: PostgresWakeups;
  let agent: { id: string; tenantId: string };

  beforeAll(async () => {
    cluster = await startPostgres();
  }, 60_000);
  afterAll(async () => await cluster.stop());
  beforeEach(async () => {
    const address = await cluster.createDatabase();
    ground = await makeTestGround(address);
    opened = await openDatabase(address);
    const { database, connection = {} } = opened;
    const { log } = ground;
    hearing = new PostgresWakeups({ database, connection, log });
    // Its way to the database for listening is closed, that for queries is open.
    const nowhere = { ...connection, host: "127.0.0.1", port: 1 };
    deaf = new PostgresWakeups({ database, connection: nowhere, log });
    const tenantId = await addTenant(ground);
    agent = { id: await addMachine(ground, tenantId), tenantId };
  });
  afterEach(async () => {
    await Promise.all([hearing.close(), deaf.close()]);
    await opened.close();
    await ground.close();
  });

  const desk = (wakeups: PostgresWakeups, wakeHoldSeconds: number): WakeDesk =>
    new WakeDesk({
      ...ground,
      now: ground.now,
      wakeups,
      settings: { ...ground.settings, wakeHoldSeconds, bundleSpreadSeconds: 0 },
    });
  /** At the replica that has those wakeups. */
  const command = async (wakeups: PostgresWakeups): Promise<void> => {
    const commands = new Commands({ ...ground, now: ground.now, wakeups }, async () => {
      return await Promise.resolve(JSON.stringify);
    });
    await commands.create("x", null, { agentId: agent.id, order: { kind: "sync" } });
  };
  const held = async (at: WakeDesk): Promise<void> => {
    while (at.held === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  const news = (outcome: WakeOutcome) => {
    if (outcome.kind !== "news") throw new Error(`no news but ${outcome.kind}`);
    return outcome.answer;
  };

  it("are answered by what the other one does, long before their time is over", async () => {
    const heard: string[] = [];
    hearing.subscribe("probe", () => heard.push("probe"));
    hearing.subscribe(`agent:${agent.id}`, () => heard.push("agent"));
    // Until it listens, what is said is lost.
    while (heard.length === 0) {
      await deaf.publish("probe");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const listening = desk(hearing, 3600);
    const waiting = listening.wait(agent, known, never);
    await held(listening);
    await command(deaf);
    const first = news(await waiting);
    expect(first).toMatchObject({ commands: 1, bundle: false });
    await expect.poll(() => heard, { timeout: 30_000 }).toContain("agent");
    const next = listening.wait(agent, first.cursor, never);
    await held(listening);
    await raiseTenantRevision(ground.database, agent.tenantId);
    await deaf.publish(`tenant:${agent.tenantId}`);
    expect(news(await next)).toMatchObject({ bundle: true });
  });

  it("find at the next request what they did not hear, whatever was lost", async () => {
    const unhearing = desk(deaf, 0.3);
    const waiting = unhearing.wait(agent, known, never);
    await held(unhearing);
    await command(hearing);
    const outcome = await waiting;
    // It may have looked for the first time after the command was made.
    const answer =
      outcome.kind === "news" ? outcome.answer : news(await unhearing.wait(agent, known, never));
    expect(answer).toMatchObject({ commands: 1, bundle: false });
  });
});
