/** The processes of a swarm, led from here. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type {
  SwarmMember,
  SwarmOrder,
  SwarmPlace,
  SwarmReply,
  SwarmShare,
} from "./swarm-messages.ts";
import { SwarmMeter } from "./swarm-meter.ts";

const program = fileURLToPath(new URL("swarm-process.ts", import.meta.url));

type Reply<Kind extends SwarmReply["kind"]> = Extract<SwarmReply, { kind: Kind }>;

interface Worker {
  readonly process: ChildProcess;
  readonly share: SwarmShare;
}

export interface CrowdOptions {
  readonly agents: number;
  readonly processes: number;
  readonly seed: number;
  readonly place: SwarmPlace;
}

/** What machines are told when they start to work; see SwarmAgentOptions. */
export interface WorkOptions {
  readonly haste: number;
  readonly sessionEveryMs: number;
  readonly lostAnswers: number;
  readonly startWithinMs: number;
}

export class SwarmCrowd {
  readonly #workers: readonly Worker[];
  #members: readonly SwarmMember[] = [];
  #rootKey = "";
  #tenantId = "";

  constructor({ agents, processes, seed, place }: CrowdOptions) {
    const each = Math.ceil(agents / processes);
    this.#workers = Array.from({ length: processes }, (_, at) => ({
      process: fork(program, { stdio: ["ignore", "inherit", "inherit", "ipc"] }),
      share: { seed, place, first: at * each, count: Math.min(each, agents - at * each) },
    }));
  }

  /** By number of the machine. */
  get members(): readonly SwarmMember[] {
    return this.#members;
  }

  get processIds(): number[] {
    return this.#workers.flatMap(({ process: { pid } }) => pid ?? []);
  }

  async enrol(token: { readonly i: string; readonly s: string }): Promise<void> {
    const replies = await Promise.all(
      this.#workers.map(async (worker) => {
        const order: SwarmOrder = { kind: "enrol", share: worker.share, token, atOnce: 8 };
        return await ask(worker, order, "enrolled");
      }),
    );
    this.#rootKey = replies[0].rootKey;
    this.#tenantId = replies[0].tenantId;
    this.#members = replies
      .flatMap(({ members }) => members)
      .toSorted((a, b) => a.number - b.number);
  }

  async run(options: WorkOptions): Promise<void> {
    const [rootKey, tenantId] = [this.#rootKey, this.#tenantId];
    for (const worker of this.#workers) {
      const { share } = worker;
      const members = this.#members.slice(share.first, share.first + share.count);
      const order: SwarmOrder = { kind: "run", share, members, rootKey, tenantId, ...options };
      await ask(worker, order, "running");
    }
  }

  /** What was counted since the last call. */
  async figures(): Promise<SwarmMeter> {
    const meter = new SwarmMeter();
    for (const worker of this.#workers)
      meter.merge((await ask(worker, { kind: "figures" }, "figures")).figures);
    return meter;
  }

  /** When machines accepted a bundle with that tag, earliest first, ms since 1970, and how many reports wait. */
  async stand(tag: string): Promise<{ readonly acceptedMs: number[]; readonly unsent: number }> {
    const acceptedMs: number[] = [];
    let unsent = 0;
    for (const worker of this.#workers) {
      const reply = await ask(worker, { kind: "stand", tag }, "stand");
      acceptedMs.push(...reply.acceptedMs);
      unsent += reply.unsent;
    }
    return { acceptedMs: acceptedMs.toSorted((a, b) => a - b), unsent };
  }

  /** No session ends by itself any more. */
  async endSessions(): Promise<void> {
    for (const worker of this.#workers)
      await ask(worker, { kind: "no-more-sessions" }, "no-more-sessions");
  }

  async ledger(): Promise<Omit<Reply<"ledger">, "kind">> {
    const replies = await Promise.all(
      this.#workers.map((worker) => ask(worker, { kind: "ledger" }, "ledger")),
    );
    return {
      reported: replies.flatMap(({ reported }) => reported),
      done: replies.flatMap(({ done }) => done),
      refusals: replies.flatMap(({ refusals }) => refusals),
    };
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#workers.map(async ({ process: child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        await ended;
      }),
    );
  }
}

/** One order at a time for each process. */
async function ask<Kind extends SwarmReply["kind"]>(
  { process: child }: Worker,
  order: SwarmOrder,
  kind: Kind,
): Promise<Reply<Kind>> {
  return await new Promise((resolve, reject) => {
    const take = (reply: SwarmReply): void => {
      child.off("exit", fail);
      if (reply.kind === kind) resolve(reply as Reply<Kind>);
      else reject(new Error(reply.kind === "failed" ? reply.text : `not ${kind}: ${reply.kind}`));
    };
    const fail = (code: number | null, signal: string | null): void => {
      child.off("message", take);
      reject(new Error(`a process of the swarm ended: ${code ?? signal}`));
    };
    child.once("message", take);
    child.once("exit", fail);
    child.send(order);
  });
}
