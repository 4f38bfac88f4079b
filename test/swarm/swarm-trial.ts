/** One run of the swarm against real servers, phase by phase, and what was measured. */
import { setTimeout as sleep } from "node:timers/promises";
import { ServedFleet } from "../fleet/served-fleet.ts";
import { believesMachines, ServerScene } from "../fleet/server-scene.ts";
import { type PostgresCluster, startPostgres } from "../server/postgres-cluster.ts";
import { type ProcessUse, processUse } from "./process-meter.ts";
import { SwarmCrowd } from "./swarm-crowd.ts";
import type { SwarmMeter } from "./swarm-meter.ts";
import type { SwarmOptions } from "./swarm-options.ts";

export interface RouteFigures {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Of a phase: what the machines asked for, and what the servers took for it. */
export interface PhaseFigures {
  readonly seconds: number;
  readonly requestsPerSecond: number;
  /** Requests in the busiest second. */
  readonly peakPerSecond: number;
  readonly routes: Readonly<Record<string, RouteFigures>>;
  /** Answers and failures by route, `bundle 304`. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Of one core, in per cent, all replicas together. */
  readonly serverProcessorPercent: number;
  readonly databaseProcessorPercent: number;
  readonly swarmProcessorPercent: number;
  readonly serverResidentBytes: number;
}

export interface SwarmResult {
  readonly enrolmentsPerSecond: number;
  /** From the start of the machines until all had their first bundle, seconds. */
  readonly firstBundlesSeconds: number;
  readonly steady: PhaseFigures;
  readonly policyChange?: {
    readonly seconds: { readonly p50: number; readonly p99: number; readonly all: number };
    readonly phase: PhaseFigures;
  };
  readonly commands?: {
    readonly count: number;
    /** From the call of the API to the machine. */
    readonly heardMs: { readonly p50: number; readonly most: number };
    /** From the call of the API until it shows `succeeded`. */
    readonly doneMs: { readonly p50: number; readonly most: number };
  };
  readonly outage?: {
    readonly seconds: number;
    /** After the servers had started again. */
    readonly phase: PhaseFigures;
    /** Busiest second against the mean of the steady state. */
    readonly peakToSteady: number;
  };
  readonly reports: { readonly made: number; readonly lost: number; readonly doubled: number };
  readonly commandsDoneTwice: number;
  /** Bundles, commands and receipts that machines did not accept. */
  readonly refusals: { readonly count: number; readonly first: readonly string[] };
}

const lostAnswers = 0.02;
/** Machines start one after another over so long for each of them, on the whole: as fast as one server takes them. */
const startMsEach = 20;
const allWaitMs = 600_000;

export class SwarmTrial {
  readonly #options: SwarmOptions;
  readonly #say: (line: string) => void;
  #cluster: PostgresCluster | undefined;
  #servers: ServerScene | undefined;
  #crowd: SwarmCrowd | undefined;
  #fleet: ServedFleet | undefined;

  constructor(options: SwarmOptions, say: (line: string) => void) {
    this.#options = options;
    this.#say = say;
  }

  /** Runs all phases that were asked for. */
  async run(): Promise<SwarmResult> {
    const { seconds, withPolicyChange, commands, outageSeconds } = this.#options;
    const enrolmentsPerSecond = await this.#begin();
    const firstBundlesSeconds = await this.#startMachines();
    this.#say(`steady state, ${seconds} s …`);
    const steady = await this.#phase(async () => await sleep(seconds * 1000));
    const policyChange = withPolicyChange ? await this.#changePolicy() : undefined;
    const told = commands > 0 ? await this.#command(commands) : undefined;
    const outage = outageSeconds > 0 ? await this.#outage(steady) : undefined;
    return {
      enrolmentsPerSecond,
      firstBundlesSeconds,
      steady,
      ...(policyChange !== undefined && { policyChange }),
      ...(told !== undefined && { commands: told }),
      ...(outage !== undefined && { outage }),
      ...(await this.#count()),
    };
  }

  /** Ends every process. */
  async end(): Promise<void> {
    await this.#crowd?.end();
    await this.#servers?.remove();
    await this.#cluster?.stop();
  }

  async #begin(): Promise<number> {
    const { database, replicas, agents, processes, seed } = this.#options;
    this.#say(`starting ${replicas} server(s) on ${database} …`);
    if (database === "postgres") this.#cluster = await startPostgres(true);
    const address = await this.#cluster?.createDatabase();
    this.#servers = await ServerScene.start({
      replicas,
      args: believesMachines,
      ...(address !== undefined && { database: address }),
    });
    const servers = this.#servers;
    this.#fleet = await ServedFleet.make(() => servers.client(), "mark-0");
    const place = { urls: servers.urls, pins: [servers.access().pin] };
    this.#crowd = new SwarmCrowd({ agents, processes, seed, place });
    this.#say(`enrolling ${agents} machines …`);
    const token = await this.#fleet.token(agents);
    const beginMs = performance.now();
    await this.#crowd.enrol(token);
    return agents / ((performance.now() - beginMs) / 1000);
  }

  async #startMachines(): Promise<number> {
    const { crowd } = this.#parts();
    const { haste, sessionEverySeconds, agents } = this.#options;
    this.#say("starting the machines …");
    const beginMs = Date.now();
    const sessionEveryMs = sessionEverySeconds * 1000;
    const startWithinMs = agents * startMsEach;
    await crowd.run({ haste, sessionEveryMs, lostAnswers, startWithinMs });
    const last = await this.#allAccepted("mark-0", agents);
    return (last - beginMs) / 1000;
  }

  /** When the last machine accepted a bundle with that tag, ms since 1970. */
  async #allAccepted(tag: string, agents: number): Promise<number> {
    const { crowd } = this.#parts();
    const end = Date.now() + allWaitMs;
    for (;;) {
      const { acceptedMs } = await crowd.stand(tag);
      if (acceptedMs.length === agents) return acceptedMs.at(-1) ?? 0;
      if (Date.now() > end)
        throw new Error(
          `only ${acceptedMs.length} of ${agents} machines have ${tag}: ${JSON.stringify(Object.fromEntries((await crowd.figures()).outcomes))}`,
        );
      await sleep(500);
    }
  }

  async #changePolicy(): Promise<NonNullable<SwarmResult["policyChange"]>> {
    const { fleet, crowd } = this.#parts();
    this.#say("changing the policy of all …");
    const beginMs = Date.now();
    const phase = await this.#phase(async () => {
      await fleet.changePolicy("mark-1");
      await this.#allAccepted("mark-1", this.#options.agents);
    });
    const { acceptedMs } = await crowd.stand("mark-1");
    const at = (part: number): number =>
      ((acceptedMs[Math.ceil(acceptedMs.length * part) - 1] ?? 0) - beginMs) / 1000;
    return { seconds: { p50: at(0.5), p99: at(0.99), all: at(1) }, phase };
  }

  async #command(count: number): Promise<NonNullable<SwarmResult["commands"]>> {
    const { fleet, crowd } = this.#parts();
    this.#say(`commands to ${count} machines …`);
    const begun = new Map<string, number>();
    const doneMs: number[] = [];
    for (let number = 0; number < count; number += 1) {
      const { agentId } = crowd.members[Math.floor((number * crowd.members.length) / count)];
      const beginMs = Date.now();
      const id = await fleet.command(agentId);
      begun.set(id, beginMs);
      while ((await fleet.commandState(id)) !== "succeeded") {
        if (Date.now() - beginMs > allWaitMs) throw new Error(`command ${id} is not done`);
        await sleep(10);
      }
      doneMs.push(Date.now() - beginMs);
    }
    const { done } = await crowd.ledger();
    const heardMs = done.flatMap(({ id, timeMs }) => {
      const beginMs = begun.get(id);
      return beginMs === undefined ? [] : timeMs - beginMs;
    });
    return { count, heardMs: middleAndMost(heardMs), doneMs: middleAndMost(doneMs) };
  }

  async #outage(steady: PhaseFigures): Promise<NonNullable<SwarmResult["outage"]>> {
    const { servers } = this.#parts();
    const { outageSeconds, seconds, haste } = this.#options;
    this.#say(`the servers are killed for ${outageSeconds} s …`);
    const all = Array.from({ length: servers.count }, (_, at) => at);
    await Promise.all(all.map((at) => servers.endReplica(at, "SIGKILL")));
    await sleep(outageSeconds * 1000);
    for (const at of all) await servers.startReplica(at);
    // The longest wait of a machine is 22.5 minutes; what comes after an outage is seen well before.
    const afterSeconds = Math.max(seconds, 1500 / haste);
    this.#say(`they are back; ${afterSeconds} s …`);
    const phase = await this.#phase(async () => await sleep(afterSeconds * 1000));
    return {
      seconds: outageSeconds,
      phase,
      peakToSteady: phase.peakPerSecond / steady.requestsPerSecond,
    };
  }

  /** Lets all reports arrive, and compares what the machines made with what the server has. */
  async #count(): Promise<Pick<SwarmResult, "reports" | "commandsDoneTwice" | "refusals">> {
    const { crowd, fleet } = this.#parts();
    this.#say("waiting for the last reports …");
    await crowd.endSessions();
    const end = Date.now() + allWaitMs;
    while ((await crowd.stand("")).unsent > 0 && Date.now() < end) await sleep(500);
    const { reported, done, refusals } = await crowd.ledger();
    const stored = await fleet.reportIds();
    const known = new Set(stored);
    return {
      reports: {
        made: reported.length,
        lost: reported.filter((id) => !known.has(id)).length,
        doubled: stored.length - known.size,
      },
      commandsDoneTwice: done.length - new Set(done.map(({ id }) => id)).size,
      refusals: { count: refusals.length, first: refusals.slice(0, 10) },
    };
  }

  /** Measures what happens while `work` goes on. */
  async #phase(work: () => Promise<unknown>): Promise<PhaseFigures> {
    const { crowd } = this.#parts();
    await crowd.figures();
    const before = this.#use();
    const beginMs = Date.now();
    await work();
    const endMs = Date.now();
    const after = this.#use();
    const meter = await crowd.figures();
    const seconds = (endMs - beginMs) / 1000;
    const percent = (part: "servers" | "database" | "swarm"): number =>
      (after[part].processorMs - before[part].processorMs) / seconds / 10;
    const { mean, peak } = meter.requests.between(beginMs, endMs);
    return {
      seconds,
      requestsPerSecond: mean,
      peakPerSecond: peak,
      routes: routesOf(meter),
      outcomes: Object.fromEntries([...meter.outcomes].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      serverProcessorPercent: percent("servers"),
      databaseProcessorPercent: percent("database"),
      swarmProcessorPercent: percent("swarm"),
      serverResidentBytes: after.servers.residentBytes,
    };
  }

  #use(): Readonly<Record<"servers" | "database" | "swarm", ProcessUse>> {
    const { crowd, servers } = this.#parts();
    const database = this.#cluster?.processId;
    return {
      servers: processUse(servers.processIds),
      database: processUse(database === undefined ? [] : [database]),
      swarm: processUse(crowd.processIds),
    };
  }

  #parts(): { crowd: SwarmCrowd; servers: ServerScene; fleet: ServedFleet } {
    const [crowd, servers, fleet] = [this.#crowd, this.#servers, this.#fleet];
    if (crowd === undefined || servers === undefined || fleet === undefined)
      throw new Error("the trial has not begun");
    return { crowd, servers, fleet };
  }
}

function routesOf(meter: SwarmMeter): Record<string, RouteFigures> {
  const rows = [...meter.latencies].map(([route, histogram]) => {
    const { count } = histogram;
    return [
      route,
      { count, p50Ms: histogram.quantile(0.5), p99Ms: histogram.quantile(0.99) },
    ] as const;
  });
  return Object.fromEntries(rows.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function middleAndMost(values: readonly number[]): { p50: number; most: number } {
  const sorted = values.toSorted((a, b) => a - b);
  return { p50: sorted[Math.floor(sorted.length / 2)] ?? 0, most: sorted.at(-1) ?? 0 };
}
