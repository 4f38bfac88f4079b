/**
 * A played machine with the agent's real memory on disk: it can be stopped and started, and its memory can be set back to
 * an older day.
 */
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { BundleBook } from "../../agent/control/bundle-book.ts";
import { BundleCopy } from "../../agent/control/bundle-copy.ts";
import type { BundleInForce } from "../../agent/control/bundle-in-force.ts";
import { openState } from "../../agent/state/open-state.ts";
import type { State } from "../../agent/state/state.ts";
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import type { Clock } from "../../platform/ports/clock.ts";
import { MachineRecord, SwarmAgent, type SwarmHome } from "../swarm/swarm-agent.ts";
import type { SwarmIdentity } from "../swarm/swarm-identity.ts";
import type { SwarmMeter } from "../swarm/swarm-meter.ts";
import type { SwarmBundles } from "../swarm/swarm-trust.ts";

export interface PlayedMachineOptions {
  /** Of this machine's alone; made. */
  readonly folder: string;
  readonly clock: Clock;
  /** See SwarmAgentOptions. */
  readonly lostAnswers: number;
  readonly random: () => number;
  readonly meter: SwarmMeter;
}

/** The database is copied as it lies there: nothing is written while one of us copies. */
const stateFiles = ["state.db", "state.db-wal"];
const never = new AbortController().signal;

export class PlayedMachine {
  readonly record = new MachineRecord();
  readonly home: SwarmHome;
  readonly #identity: SwarmIdentity;
  readonly #options: PlayedMachineOptions;
  #running: { readonly agent: SwarmAgent; readonly state: State } | undefined;

  constructor(identity: SwarmIdentity, home: SwarmHome, options: PlayedMachineOptions) {
    this.#identity = identity;
    this.home = home;
    this.#options = options;
    mkdirSync(this.#identityFolder, { recursive: true });
  }

  /** Undefined while it is off. */
  get agent(): SwarmAgent | undefined {
    return this.#running?.agent;
  }

  /** Everything that the server is to hear of, it has heard; false while the machine is off. */
  get isSilent(): boolean {
    return (
      this.#running !== undefined &&
      this.#running.state.reports.waiting() === 0 &&
      this.#running.state.commands.untold().length === 0
    );
  }

  async start(): Promise<void> {
    const { folder, clock } = this.#options;
    const nowMs = (): number => clock.now();
    const state = openState({ folder, nowMs, onTrouble: (trouble) => this.#note(trouble) });
    const { sealingKey } = this.#identity;
    const book = new BundleBook({
      reader: { ...this.home, sealingKey },
      store: state.bundles,
      copy: new BundleCopy(openDurableFiles(), this.#identityFolder),
      nowMs,
    });
    await book.load();
    const { commands, reports } = state;
    const memory = { commands, reports, bundles: keptBundles(book) };
    const agent = new SwarmAgent(this.#identity, this.home, {
      ...this.#options,
      memory,
      record: this.record,
    });
    this.#running = { agent, state };
    agent.start();
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.agent.stop();
    running?.state.close();
  }

  /** Copies what it remembers, while it runs. */
  copyTo(folder: string): void {
    rmSync(folder, { recursive: true, force: true });
    cpSync(this.#identityFolder, path.join(folder, "identity"), { recursive: true });
    for (const name of stateFiles)
      if (existsSync(this.#at(name))) cpSync(this.#at(name), path.join(folder, name));
  }

  /**
   * Puts a copy in the place of what it remembers; the machine is off. `withIdentity`: also of what lies beside its
   * identity, as after a restore of the whole machine.
   */
  setBack(folder: string, withIdentity: boolean): void {
    for (const name of stateFiles) {
      rmSync(this.#at(name), { force: true });
      const copy = path.join(folder, name);
      if (existsSync(copy)) cpSync(copy, this.#at(name));
    }
    if (!withIdentity) return;
    rmSync(this.#identityFolder, { recursive: true });
    cpSync(path.join(folder, "identity"), this.#identityFolder, { recursive: true });
  }

  #note(trouble: Error): void {
    this.record.refusals.push(`state: ${String(trouble)}`);
  }

  get #identityFolder(): string {
    return this.#at("identity");
  }

  #at(name: string): string {
    return path.join(this.#options.folder, name);
  }
}

function keptBundles(book: BundleBook): SwarmBundles {
  return {
    get inForce() {
      return book.inForce;
    },
    accept: async (jws): Promise<BundleInForce> => {
      const verdict = await book.offer(jws, never);
      if (verdict.kind === "refused") throw verdict.reason;
      return verdict.bundle;
    },
  };
}
