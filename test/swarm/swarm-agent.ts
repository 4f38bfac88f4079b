/**
 * One machine of a swarm: the agent's own control side (link, loop of polls and wakes, commands, outbox, status,
 * verification), with a state in memory and nothing to back up.
 */
import { randomUUID } from "node:crypto";
import type { CommandResult } from "../../agent/control/command-executor.ts";
import { CommandJournal } from "../../agent/control/command-journal.ts";
import { CommandRunner } from "../../agent/control/command-runner.ts";
import { ControlLoop } from "../../agent/control/control-loop.ts";
import { ReportOutbox } from "../../agent/control/report-outbox.ts";
import type { ServerPlace } from "../../agent/control/server-link.ts";
import { ServerLink } from "../../agent/control/server-link.ts";
import { StatusSender } from "../../agent/control/status-sender.ts";
import type { Clock } from "../../platform/ports/clock.ts";
import type { CommandDocument } from "../../protocol/control/command.ts";
import { MeasuredCalls } from "./measured-calls.ts";
import { MemoryCommands, MemoryReports } from "./memory-stores.ts";
import { endedSession, type SwarmPolicy, statusOf } from "./swarm-documents.ts";
import type { SwarmIdentity } from "./swarm-identity.ts";
import type { SwarmMeter } from "./swarm-meter.ts";
import { SwarmTrust } from "./swarm-trust.ts";

/** Where a machine is enrolled. */
export interface SwarmHome {
  readonly agentId: string;
  readonly tenantId: string;
  readonly rootKey: string;
  readonly place: ServerPlace;
}

export interface SwarmAgentOptions {
  readonly clock: Clock;
  /** Share (0 to 1) of the answers to reports that get lost on the way, so that they are sent again. */
  readonly lostAnswers: number;
  /** 0 to 1, from a seed. */
  readonly random: () => number;
  readonly meter: SwarmMeter;
}

/** A command that this machine has begun. */
export interface DoneCommand {
  readonly id: string;
  readonly timeMs: number;
}

export class SwarmAgent {
  readonly identity: SwarmIdentity;
  readonly home: SwarmHome;
  /** In the order in which they were begun; an id that stands here twice was done twice. */
  readonly done: DoneCommand[] = [];
  /** Every serial that was accepted, oldest first. */
  readonly serials: number[] = [];
  /** What the server said that was not accepted. */
  readonly refusals: string[] = [];
  /** When the newest bundle was accepted, ms since 1970, and the tags of its policies. */
  accepted: { readonly timeMs: number; readonly tags: readonly string[] } | undefined;
  readonly #options: SwarmAgentOptions;
  readonly #link: ServerLink;
  readonly #reports = new MemoryReports();
  readonly #outbox: ReportOutbox;
  readonly #loop: ControlLoop;
  #policies: SwarmPolicy[] = [];

  constructor(identity: SwarmIdentity, home: SwarmHome, options: SwarmAgentOptions) {
    this.identity = identity;
    this.home = home;
    this.#options = options;
    const { clock, random, meter, lostAnswers } = options;
    const run = randomUUID();
    this.#link = new ServerLink({
      identity: { issuer: home.agentId, key: identity.identityKey },
      place: home.place,
      sender: () => ({
        run,
        serial: this.serials.at(-1) ?? 0,
        fingerprint: { ...identity.fingerprint },
      }),
      clock,
      environment: {},
    });
    const link = new MeasuredCalls(
      this.#link,
      meter,
      identity.address,
      () => random() < lostAnswers,
    );
    const nowMs = (): number => this.#link.nowMs();
    this.#outbox = new ReportOutbox({
      store: this.#reports,
      link,
      nowMs,
      offsetMs: () => 0,
      onRejected: (id, reason) => this.refusals.push(`report ${id}: ${reason}`),
      onAdded: () => this.#loop.reportAdded(),
    });
    const { sealingKey } = identity;
    const trust = new SwarmTrust({ ...home, sealingKey });
    let hash: string | undefined;
    const journal = new CommandJournal({
      store: new MemoryCommands(),
      nowMs,
      onWord: () => this.#loop.commandChanged(),
    });
    this.#loop = new ControlLoop({
      link,
      bundles: {
        get hash() {
          return hash;
        },
        accept: (jws) => {
          hash = this.#accept(jws, trust) ?? hash;
        },
      },
      commands: new CommandRunner({
        journal,
        executor: {
          execute: async (command) => this.#do(command),
          resume: async () => undefined,
        },
        link,
        verify: (jws) => trust.command(jws),
        renewTrust: async (signal) => void (await this.#loop.fetchBundle(signal)),
        nowMs,
        onRefused: (error) => this.refusals.push(`command: ${String(error)}`),
      }),
      reports: this.#outbox,
      status: new StatusSender({
        link,
        status: () => statusOf(identity, this.serials.at(-1), this.#policies),
        monotonicMs: () => clock.monotonic(),
      }),
      clock,
      chance: random,
      isNewlyEnrolled: true,
    });
  }

  start(): void {
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    this.#link.close();
  }

  /** Ids of all reports that were ever made, sent or not. */
  get reported(): readonly string[] {
    return this.#reports.ids;
  }

  /** Ids of those that the server has confirmed. */
  get delivered(): readonly string[] {
    return this.#reports.deliveredIds;
  }

  get unsent(): number {
    return this.#reports.waiting();
  }

  /** A backup ends now; its report is sent as soon as that goes. Nothing happens while there is no policy. */
  endSession(name?: string): void {
    const { random } = this.#options;
    const policy =
      name === undefined
        ? this.#policies[Math.floor(random() * this.#policies.length)]
        : this.#policies.find((each) => each.name === name);
    if (policy === undefined) return;
    const isGood = random() < 0.97;
    const session = endedSession(policy.name, isGood);
    policy.lastOutcome = isGood ? "success" : "failure";
    if (isGood) policy.lastGoodMs = Date.now();
    const serial = this.serials.at(-1);
    this.#outbox.addSession(session, {
      issues: [],
      route: "gateway",
      ...(serial !== undefined && { bundleSerial: serial }),
    });
    this.#loop.statusChanged();
  }

  /** The hash of the bundle that is in force now; undefined if this one was refused. */
  #accept(jws: string, trust: SwarmTrust): string | undefined {
    try {
      const bundle = trust.accept(jws);
      this.serials.push(bundle.serial);
      const known = new Map(this.#policies.map((each) => [each.name, each]));
      this.#policies = [...bundle.policies.values()].map(({ policy, policyVersion: version }) => {
        return { ...known.get(policy.name), name: policy.name, version, tags: policy.tags };
      });
      this.accepted = { timeMs: Date.now(), tags: this.#policies.flatMap(({ tags }) => tags) };
      this.#loop.statusChanged();
      return bundle.hash;
    } catch (error) {
      this.refusals.push(`bundle: ${String(error)}`);
      return undefined;
    }
  }

  #do({ id, order }: CommandDocument): CommandResult {
    this.done.push({ id, timeMs: Date.now() });
    if (order.kind === "run") this.endSession(order.policy);
    return { state: "succeeded", text: "done" };
  }
}
