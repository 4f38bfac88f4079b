/**
 * Some played machines in this process against real servers: sessions end, commands are given, policies change at random
 * moments, and in the end it is looked at whether anything was lost, doubled, older than before, or is stuck.
 */
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { until } from "../daemon/daemon-scene.ts";
import { hastyClock } from "../swarm/hasty-clock.ts";
import { enrolledMachine } from "../swarm/swarm-enrolment.ts";
import { swarmIdentity } from "../swarm/swarm-identity.ts";
import { SwarmMeter } from "../swarm/swarm-meter.ts";
import { PlayedMachine } from "./played-machine.ts";
import { ServedFleet } from "./served-fleet.ts";
import type { ServerScene } from "./server-scene.ts";

/** Waits of minutes take a second. */
const haste = 300;
const lostAnswers = 0.1;

export class PlayedFleet {
  readonly machines: readonly PlayedMachine[];
  readonly random: () => number;
  readonly served: ServedFleet;
  readonly #folder: string;
  readonly #load = new AbortController();
  #working: Promise<void> | undefined;
  #policyNumber = 0;

  private constructor(
    machines: readonly PlayedMachine[],
    served: ServedFleet,
    folder: string,
    random: () => number,
  ) {
    this.machines = machines;
    this.served = served;
    this.#folder = folder;
    this.random = random;
  }

  /** Enrols so many machines and starts them. */
  static async start(servers: ServerScene, count: number, seed: number): Promise<PlayedFleet> {
    const served = await ServedFleet.make(() => servers.client(servers.firstRunning), "policy-0");
    const token = await served.token(count);
    const meter = new SwarmMeter();
    const random = seededRandom(seed);
    const place = { urls: servers.urls, pins: [servers.access().pin] };
    const folder = path.join(servers.folder, "machines");
    const machines: PlayedMachine[] = [];
    for (let number = 0; number < count; number += 1) {
      const identity = swarmIdentity(seed, number);
      const home = { ...(await enrolledMachine(identity, token, place, meter)), place };
      const own = path.join(folder, String(number));
      const options = { folder: own, clock: hastyClock(haste), lostAnswers, random, meter };
      machines.push(new PlayedMachine(identity, home, options));
    }
    for (const machine of machines) await machine.start();
    const fleet = new PlayedFleet(machines, served, folder, random);
    await fleet.untilAllHave("policy-0");
    return fleet;
  }

  /** Sessions end, commands are given, the policy changes now and then, until `stopLoad`. */
  startLoad(): void {
    const { signal } = this.#load;
    this.#working = (async () => {
      while (!signal.aborted) {
        await sleep(this.random() * 60, undefined, { signal }).catch(() => undefined);
        const machine = this.anyMachine();
        machine.agent?.endSession();
        if (this.random() < 0.2) await this.#tryCommand(machine);
        if (this.random() < 0.05) await this.changePolicy().catch(() => undefined);
      }
    })();
  }

  async stopLoad(): Promise<void> {
    this.#load.abort();
    await this.#working;
  }

  anyMachine(): PlayedMachine {
    return this.machines[Math.floor(this.random() * this.machines.length)];
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
      this.machines.every(({ agent }) => agent?.accepted?.tags.includes(tag) === true),
    );
  }

  /**
   * A machine is set back to what it remembered a while ago, its state alone or with what lies beside its identity. The
   * servers run.
   */
  async setMachineBack(): Promise<void> {
    const machine = this.anyMachine();
    const copy = path.join(this.#folder, "copy");
    machine.copyTo(copy);
    await this.changePolicy().catch(() => undefined);
    await sleep(this.random() * 600);
    // Yesterday's state comes back to a machine that has told of today: what nobody else knew is gone with it.
    await until("the machine has told everything", async () => machine.isSilent);
    await machine.stop();
    machine.setBack(copy, this.random() < 0.5);
    await machine.start();
  }

  async stop(): Promise<void> {
    await this.stopLoad();
    await Promise.all(this.machines.map((machine) => machine.stop()));
  }

  /**
   * With the servers up and the load ended: everything arrives that was made, once; no machine had an older policy
   * after a newer; every command has an end and was begun once at most.
   */
  async expectAllWell(): Promise<void> {
    const made = this.machines.flatMap(({ record }) => record.reported);
    expect(made.length).toBeGreaterThan(0);
    let lost: readonly string[] = made;
    await until("all reports are there", async () => {
      const known = new Set(await this.served.reportIds());
      lost = made.filter((id) => !known.has(id));
      return lost.length === 0;
    }).catch((error: unknown) => {
      throw new Error(`lost reports: ${lost.length} of ${made.length}`, { cause: error });
    });
    const stored = await this.served.reportIds();
    expect(new Set(stored).size, "reports that are stored twice").toBe(stored.length);
    await this.untilAllHave(await this.changePolicy());
    for (const { record } of this.machines) {
      const { serials, done, refusals } = record;
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

  async #tryCommand(machine: PlayedMachine): Promise<void> {
    try {
      await this.served.command(machine.home.agentId);
    } catch {
      // No server was there to take it.
    }
  }
}
