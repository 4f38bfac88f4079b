/**
 * One machine of a swarm: the agent's own control side (link, loop of polls and wakes, commands, outbox, status,
 * verification), with nothing to back up.
 */
import { randomUUID } from "node:crypto";
import type { BundleInForce } from "../../agent/control/bundle-in-force.ts";
import type { CommandResult } from "../../agent/control/command-executor.ts";
import { CommandJournal } from "../../agent/control/command-journal.ts";
import { CommandRunner } from "../../agent/control/command-runner.ts";
import { ControlLoop } from "../../agent/control/control-loop.ts";
import { ReportOutbox } from "../../agent/control/report-outbox.ts";
import type { ServerPlace } from "../../agent/control/server-link.ts";
import { ServerLink } from "../../agent/control/server-link.ts";
import { StatusSender } from "../../agent/control/status-sender.ts";
import type { CommandStore, ReportStore } from "../../agent/state/state.ts";
import type { Clock } from "../../platform/ports/clock.ts";
import type { CommandDocument } from "../../protocol/control/command.ts";
import { MeasuredCalls } from "./measured-calls.ts";
import { MemoryCommands, MemoryReports } from "./memory-stores.ts";
import { endedSession, type SwarmPolicy, statusOf } from "./swarm-documents.ts";
import type { SwarmIdentity } from "./swarm-identity.ts";
import type { SwarmMeter } from "./swarm-meter.ts";
import { type SwarmBundles, SwarmTrust, verifiedCommand } from "./swarm-trust.ts";

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
  /** What the machine remembers; absent: it has just been enrolled, and remembers until it is stopped. */
  readonly memory?: SwarmMemory;
  /** Absent: a new one. */
  readonly record?: MachineRecord;
}

export interface SwarmMemory {
  readonly commands: CommandStore;
  readonly reports: ReportStore;
  readonly bundles: SwarmBundles;
}

/** What a machine has done since it was enrolled, whatever it has forgotten itself. */
export class MachineRecord {
  /** In the order in which they were begun; an id that stands here twice was done twice. */
  readonly done: DoneCommand[] = [];
  /** Every serial that was accepted, oldest first. */
  readonly serials: number[] = [];
  /** What the server said that was not accepted. */
  readonly refusals: string[] = [];
  /** Ids of all reports that were made, sent or not. */
  readonly reported: string[] = [];
}

/** A command that this machine has begun. */
export interface DoneCommand {
  readonly id: string;
  readonly timeMs: number;
}

export class SwarmAgent {
  readonly identity: SwarmIdentity;
  readonly home: SwarmHome;
  readonly record: MachineRecord;
  /** When the newest bundle was accepted, ms since 1970, and the tags of its policies. */
  accepted: { readonly timeMs: number; readonly tags: readonly string[] } | undefined;
  readonly #options: SwarmAgentOptions;
  readonly #link: ServerLink;
  readonly #memory: SwarmMemory;
  readonly #outbox: ReportOutbox;
  readonly #loop: ControlLoop;
  #policies: SwarmPolicy[] = [];

  constructor(identity: SwarmIdentity, home: SwarmHome, options: SwarmAgentOptions) {
    this.identity = identity;
    this.home = home;
    this.#options = options;
    this.record = options.record ?? new MachineRecord();
    const { clock, random, meter, lostAnswers } = options;
    this.#memory = options.memory ?? freshMemory(identity, home);
    const { reports, commands, bundles } = this.#memory;
    const { refusals } = this.record;
    this.#link = this.#linkOf(identity, home, clock);
    const link = new MeasuredCalls(
      this.#link,
      meter,
      identity.address,
      () => random() < lostAnswers,
    );
    const nowMs = (): number => this.#link.nowMs();
    this.#outbox = new ReportOutbox({
      store: reports,
      link,
      nowMs,
      offsetMs: () => 0,
      onRejected: (id, reason) => refusals.push(`report ${id}: ${reason}`),
      onAdded: () => this.#loop.reportAdded(),
    });
    const journal = new CommandJournal({
      store: commands,
      nowMs,
      onWord: () => this.#loop.commandChanged(),
    });
    this.#loop = new ControlLoop({
      link,
      bundles: {
        get hash() {
          return bundles.inForce?.hash;
        },
        accept: async (jws) => await this.#accept(jws),
      },
      commands: new CommandRunner({
        journal,
        executor: {
          execute: async (command) => this.#do(command),
          resume: async () => undefined,
        },
        link,
        verify: (jws) => verifiedCommand(jws, bundles.inForce, home.agentId),
        renewTrust: async (signal) => void (await this.#loop.fetchBundle(signal)),
        nowMs,
        onRefused: (error) => refusals.push(`command: ${String(error)}`),
      }),
      reports: this.#outbox,
      status: new StatusSender({
        link,
        status: () => statusOf(identity, bundles.inForce?.serial, this.#policies),
        monotonicMs: () => clock.monotonic(),
      }),
      clock,
      chance: random,
      isNewlyEnrolled: options.memory === undefined,
    });
    if (bundles.inForce !== undefined) this.#take(bundles.inForce);
  }

  start(): void {
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    this.#link.close();
  }

  get unsent(): number {
    return this.#memory.reports.waiting();
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
    const serial = this.#memory.bundles.inForce?.serial;
    this.record.reported.push(`session-${session.id}`);
    this.#outbox.addSession(session, {
      issues: [],
      route: "gateway",
      ...(serial !== undefined && { bundleSerial: serial }),
    });
    this.#loop.statusChanged();
  }

  async #accept(jws: string): Promise<void> {
    try {
      const bundle = await this.#memory.bundles.accept(jws);
      this.record.serials.push(bundle.serial);
      this.#take(bundle);
      this.#loop.statusChanged();
    } catch (error) {
      this.record.refusals.push(`bundle: ${String(error)}`);
    }
  }

  #take(bundle: BundleInForce): void {
    const known = new Map(this.#policies.map((each) => [each.name, each]));
    this.#policies = [...bundle.policies.values()].map(({ policy, policyVersion: version }) => {
      return { ...known.get(policy.name), name: policy.name, version, tags: policy.tags };
    });
    this.accepted = { timeMs: Date.now(), tags: this.#policies.flatMap(({ tags }) => tags) };
  }

  #linkOf(identity: SwarmIdentity, { agentId, place }: SwarmHome, clock: Clock): ServerLink {
    const run = randomUUID();
    return new ServerLink({
      identity: { issuer: agentId, key: identity.identityKey },
      place,
      sender: () => ({
        run,
        serial: this.#memory.bundles.inForce?.serial ?? 0,
        fingerprint: { ...identity.fingerprint },
      }),
      clock,
      environment: {},
    });
  }

  #do({ id, order }: CommandDocument): CommandResult {
    this.record.done.push({ id, timeMs: Date.now() });
    if (order.kind === "run") this.endSession(order.policy);
    return { state: "succeeded", text: "done" };
  }
}

function freshMemory({ sealingKey }: SwarmIdentity, home: SwarmHome): SwarmMemory {
  return {
    commands: new MemoryCommands(),
    reports: new MemoryReports(),
    bundles: new SwarmTrust({ ...home, sealingKey }),
  };
}
