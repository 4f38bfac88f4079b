import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type PostgresCluster,
  postgresPrograms,
  startPostgres,
} from "../../test/server/postgres-cluster.ts";
import { makeTestGround, type TestGround } from "../../test/server/test-ground.ts";
import { type OpenDatabase, openDatabase } from "../database/open-database.ts";
import { LocalWakeups } from "./local-wakeups.ts";
import { PostgresWakeups } from "./postgres-wakeups.ts";

describe("wakeups within a process", () => {
  it("reach who listens to the topic, until they end it", async () => {
    const wakeups = new LocalWakeups();
    const heard: string[] = [];
    const endA = wakeups.subscribe("agent:a", () => heard.push("a"));
    wakeups.subscribe("agent:b", () => heard.push("b"));
    await wakeups.publish("agent:a");
    endA();
    endA();
    await wakeups.publish("agent:a");
    await wakeups.publish("agent:b");
    expect(heard).toEqual(["a", "b"]);
  });
});

describe.skipIf(postgresPrograms() === undefined)("wakeups between replicas", () => {
  let cluster: PostgresCluster;
  let ground: TestGround;
  const replicas: { readonly opened: OpenDatabase; readonly wakeups: PostgresWakeups }[] = [];

  beforeAll(async () => {
    cluster = await startPostgres();
  }, 60_000);
  afterAll(async () => {
    await cluster.stop();
  });
  beforeEach(async () => {
    const address = await cluster.createDatabase();
    ground = await makeTestGround(address);
    for (let number = 0; number < 2; number++) {
      const opened = await openDatabase(address);
      const connection = opened.connection ?? {};
      const { log } = ground;
      const wakeups = new PostgresWakeups({ database: opened.database, connection, log });
      replicas.push({ opened, wakeups });
    }
  });
  afterEach(async () => {
    for (const { opened, wakeups } of replicas.splice(0)) {
      await wakeups.close();
      await opened.close();
    }
    await ground.close();
  });

  /** Says it until it is heard: wakeups may be lost. */
  async function untilHeard(
    from: PostgresWakeups,
    topic: string,
    heard: () => boolean,
  ): Promise<void> {
    await expect
      .poll(
        async () => {
          await from.publish(topic);
          return heard();
        },
        { timeout: 15_000 },
      )
      .toBe(true);
  }

  it("reach listeners of both, each once, and of no other topic", async () => {
    const [first, second] = replicas.map(({ wakeups }) => wakeups) as [
      PostgresWakeups,
      PostgresWakeups,
    ];
    let probes = 0;
    second.subscribe("probe", () => probes++);
    await untilHeard(first, "probe", () => probes > 0);
    const heard: string[] = [];
    first.subscribe("agent:a", () => heard.push("first"));
    second.subscribe("agent:a", () => heard.push("second"));
    second.subscribe("agent:b", () => heard.push("other"));
    await first.publish("agent:a");
    const before = probes;
    await untilHeard(first, "probe", () => probes > before);
    expect(heard).toEqual(["first", "second"]);
  });

  it("reach them again after the database was away, and fail nobody meanwhile", async () => {
    const [first, second] = replicas.map(({ wakeups }) => wakeups) as [
      PostgresWakeups,
      PostgresWakeups,
    ];
    let probes = 0;
    second.subscribe("probe", () => probes++);
    await untilHeard(first, "probe", () => probes > 0);
    await cluster.kill();
    let local = 0;
    first.subscribe("agent:a", () => local++);
    await first.publish("agent:a");
    expect(local).toBe(1);
    await cluster.start();
    const before = probes;
    await untilHeard(first, "probe", () => probes > before);
  });

  it("of thousands at once arrive together", async () => {
    const [first, second] = replicas.map(({ wakeups }) => wakeups) as [
      PostgresWakeups,
      PostgresWakeups,
    ];
    let probes = 0;
    second.subscribe("probe", () => probes++);
    await untilHeard(first, "probe", () => probes > 0);
    const heard = new Set<number>();
    for (let number = 0; number < 3000; number++)
      second.subscribe(`agent:${number}`, () => heard.add(number));
    await Promise.all(
      Array.from({ length: 3000 }, async (_, number) => await first.publish(`agent:${number}`)),
    );
    await expect.poll(() => heard.size).toBe(3000);
  });
});
