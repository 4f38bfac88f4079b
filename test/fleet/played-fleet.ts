/**
 * Some played machines in this process against real servers: sessions end, commands are given, policies change at random
 * moments, and in the end it is looked at whether anything was lost, doubled, older than before, or is stuck.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { until } from "../daemon/daemon-scene.ts";
import { hastyClock } from "../swarm/hasty-clock.ts";
import { SwarmAgent } from "../swarm/swarm-agent.ts";
import { enrolledMachine } from "../swarm/swarm-enrolment.ts";
import { swarmIdentity } from "../swarm/swarm-identity.ts";
import { SwarmMeter } from "../swarm/swarm-meter.ts";
import { ServedFleet } from "./served-fleet.ts";
import type { ServerScene } from "./server-scene.ts";

/** Waits of minutes take seconds. */
const haste = 60;
const lostAnswers = 0.1;

export class PlayedFleet {
  readonly agents: readonly SwarmAgent[];
  readonly random: () => number;
  readonly served: ServedFleet;
  readonly meter: SwarmMeter;
  /** Ids of all commands that a server has confirmed. */
  readonly commands: string[] = [];
  readonly #load = new AbortController();
  #working: Promise<void> | undefined;
  #policyNumber = 0;

  private constructor(
    agents: readonly SwarmAgent[],
    served: ServedFleet,
    meter: SwarmMeter,
    random: () => number,
  ) {
    this.agents = agents;
    this.served = served;
    this.meter = meter;
    this.random = random;
  }

  /** Enrols so many machines and starts them. */
  static async start(servers: ServerScene, count: number, seed: number): Promise<PlayedFleet> {
    const served = await ServedFleet.make(() => servers.client(servers.firstRunning), "policy-0");
    const token = await served.token(count);
    const meter = new SwarmMeter();
    const random = seededRandom(seed);
    const place = { urls: servers.urls, pins: [servers.access().pin] };
    const agents: SwarmAgent[] = [];
    for (let number = 0; number < count; number += 1) {
      const identity = swarmIdentity(seed, number);
      const home = { ...(await enrolledMachine(identity, token, place, meter)), place };
      const options = { clock: hastyClock(haste), lostAnswers, random, meter };
      agents.push(new SwarmAgent(identity, home, options));
    }
    for (const agent of agents) agent.start();
    const fleet = new PlayedFleet(agents, served, meter, random);
    await fleet.untilAllHave("policy-0");
    return fleet;
  }

  /** Sessions end, commands are given, the policy changes now and then, until `stopLoad`. */
  startLoad(): void {
    const { signal } = this.#load;
    this.#working = (async () => {
      while (!signal.aborted) {
        await sleep(this.random() * 60, undefined, { signal }).catch(() => undefined);
        const agent = this.agents[Math.floor(this.random() * this.agents.length)];
        agent.endSession();
        if (this.random() < 0.2) await this.#tryCommand(agent);
        if (this.random() < 0.05) await this.changePolicy().catch(() => undefined);
      }
    })();
  }

  async stopLoad(): Promise<void> {
    this.#load.abort();
    await this.#working;
  }

  /** Name of the version that all are to have now. Rejects if no server takes it. */
  async changePolicy(): Promise<string> {
    this.#policyNumber += 1;
    const tag = `policy-${this.#policyNumber}`;
    await this.served.changePolicy(tag);
    return tag;
  }

  async untilAllHave(tag: string): Promise<void> {
    await until(`all machines have ${tag}`, async () =>
      this.agents.every(({ accepted }) => accepted?.tags.includes(tag) === true),
    );
  }

  /** Ids of the reports that a server has confirmed to a machine. */
  delivered(): ReadonlySet<string> {
    return new Set(this.agents.flatMap((agent) => agent.delivered));
  }

  async stop(): Promise<void> {
    await this.stopLoad();
    await Promise.all(this.agents.map((agent) => agent.stop()));
  }

  /**
   * With the servers up and the load ended: everything arrives that was made, once; no machine had an older policy
   * after a newer; every command has an end and was begun once at most. `mayLack`: what the server's database can't
   * know, since it was set back.
   */
  async expectAllWell(mayLack: ReadonlySet<string> = new Set()): Promise<void> {
    await until("all reports are sent", async () =>
      this.agents.every(({ unsent }) => unsent === 0),
    );
    const stored = await this.served.reportIds();
    expect(new Set(stored).size, "reports that are stored twice").toBe(stored.length);
    const known = new Set(stored);
    const made = this.agents.flatMap(({ reported }) => reported);
    expect(made.length).toBeGreaterThan(0);
    expect(
      made.filter((id) => !known.has(id) && !mayLack.has(id)),
      "lost reports",
    ).toEqual([]);
    await this.untilAllHave(await this.changePolicy());
    for (const { serials, done, refusals } of this.agents) {
      expect(serials, "serials only rise").toEqual(serials.toSorted((a, b) => a - b));
      expect(new Set(done.map(({ id }) => id)).size, "commands done twice").toBe(done.length);
      expect(refusals).toEqual([]);
    }
    await this.#expectNoStuckCommand();
  }

  async #expectNoStuckCommand(): Promise<void> {
    let open: readonly { readonly id: string; readonly state: string }[] = [];
    await until("every command has an end", async () => {
      open = await this.served.openCommands();
      return open.length === 0;
    }).catch((error: unknown) => {
      throw new Error(`stuck: ${JSON.stringify(open)}`, { cause: error });
    });
  }

  async #tryCommand(agent: SwarmAgent): Promise<void> {
    try {
      this.commands.push(await this.served.command(agent.home.agentId));
    } catch {
      // No server was there to take it.
    }
  }
}
