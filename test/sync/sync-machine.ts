/** A machine of a sync scene: the agent's own journal, outbox, runner and loop on a real state that can be lost. */
import { cpSync, rmSync } from "node:fs";
import path from "node:path";
import { noFloors } from "../../agent/control/bundle-floors.ts";
import type { BundleReader } from "../../agent/control/bundle-reader.ts";
import type {
  CommandExecutor,
  CommandNews,
  CommandResult,
} from "../../agent/control/command-executor.ts";
import { CommandJournal } from "../../agent/control/command-journal.ts";
import { CommandRunner } from "../../agent/control/command-runner.ts";
import { ControlLoop } from "../../agent/control/control-loop.ts";
import { ReportOutbox } from "../../agent/control/report-outbox.ts";
import { StatusSender } from "../../agent/control/status-sender.ts";
import { verifyBundle } from "../../agent/control/verify-bundle.ts";
import { openState } from "../../agent/state/open-state.ts";
import type { ReportStore, State } from "../../agent/state/state.ts";
import { agentApi } from "../../protocol/control/agent-api.ts";
import { bundleAnswer } from "../../protocol/control/bundle.ts";
import { type CommandDocument, commandDocument } from "../../protocol/control/command.ts";
import { verifyDocument } from "../../protocol/control/signed-document.ts";
import { newMemoryFolder } from "../memory-folder.ts";
import { noTrouble } from "../state/state-samples.ts";
import { hastyClock } from "../swarm/hasty-clock.ts";
import { statusOf } from "../swarm/swarm-documents.ts";
import { InjectedCalls, type InjectedPlace } from "./injected-calls.ts";

/** Polls of five minutes take a third of a second. */
const haste = 1000;

export interface SyncMachineParts extends InjectedPlace {
  readonly home: { readonly agentId: string; readonly tenantId: string; readonly rootKey: string };
}

/** One start of the daemon, until it is ended or killed. */
export interface DaemonLife {
  readonly state: State;
  readonly outbox: ReportOutbox;
  readonly runner: CommandRunner;
  readonly status: StatusSender;
  readonly loop: ControlLoop;
}

type Work = (command: CommandDocument, tell: (news: CommandNews) => void) => Promise<CommandResult>;

export class SyncMachine {
  readonly id: string;
  readonly calls: InjectedCalls;
  /** Ids of commands, each time one was begun. */
  readonly begun: string[] = [];
  /** Ids of commands that went on after a restart. */
  readonly resumed: string[] = [];
  /** What is done for a command. */
  work: Work = async () => await Promise.resolve({ state: "succeeded", text: "done" });
  /** Between the outbox and its store; for faults. */
  storeOf: (store: ReportStore) => ReportStore = (store) => store;
  readonly #parts: SyncMachineParts;
  readonly #folder = newMemoryFolder("sync-machine-");
  #life: DaemonLife | undefined;
  #isLooping = false;
  #copies = 0;

  constructor(parts: SyncMachineParts) {
    this.#parts = parts;
    this.id = parts.home.agentId;
    this.calls = new InjectedCalls(parts, this.id);
  }

  /** The daemon, started if it does not run. */
  get daemon(): DaemonLife {
    this.#life ??= this.#start();
    return this.#life;
  }

  /** Fetches and takes commands, waits until those that can end have ended, and tells the server. */
  async exchangeCommands(): Promise<void> {
    const { runner } = this.daemon;
    await runner.fetch(never);
    await this.settled();
    await runner.tell(never);
  }

  /** Begins to talk with the server by itself. */
  startLoop(): void {
    this.#isLooping = true;
    this.daemon.loop.start();
  }

  /** Until nothing that has begun goes on by itself. */
  async settled(): Promise<void> {
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** The process is gone from one moment to the next; what it was about to do never happens. */
  kill(): void {
    this.#life?.state.close();
    this.#life = undefined;
  }

  /** A copy of the state as it is on the disk now; the result ends the daemon and puts it back. */
  backup(): () => void {
    // At least the tables are there.
    this.#life ??= this.#start();
    this.kill();
    const copy = path.join(this.#folder, `copy-${this.#copies++}`);
    const place = this.#place();
    cpSync(place, copy, { recursive: true });
    return () => {
      this.kill();
      rmSync(place, { recursive: true });
      cpSync(copy, place, { recursive: true });
    };
  }

  async remove(): Promise<void> {
    if (this.#isLooping) await this.#life?.loop.stop();
    this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #place(): string {
    return path.join(this.#folder, "state");
  }

  #start(): DaemonLife {
    const { home, identity, nowMs } = this.#parts;
    const link = this.calls;
    const state = openState({ folder: this.#place(), nowMs, onTrouble: noTrouble });
    const trust = trustOf({ ...home, sealingKey: identity.sealingKey });
    const clock = hastyClock(haste);
    const outbox = new ReportOutbox({
      store: this.storeOf(state.reports),
      link,
      nowMs,
      offsetMs: () => 0,
      onRejected: (id, reason) => {
        throw new Error(`the server rejects ${id}: ${reason}`);
      },
      onAdded: () => loop.reportAdded(),
    });
    const runner = new CommandRunner({
      journal: new CommandJournal({
        store: state.commands,
        nowMs,
        onWord: () => loop.commandChanged(),
      }),
      executor: this.#executor(),
      link,
      verify: (jws) => trust.command(jws),
      renewTrust: async (signal) => {
        const answer = await link.call({ method: "GET", path: agentApi.bundle, signal });
        trust.accept(bundleAnswer.parse(answer.body).bundle);
      },
      nowMs,
      onRefused: () => undefined,
    });
    const status = new StatusSender({
      link,
      status: () => ({ ...statusOf(identity, undefined, []), timeMs: nowMs() }),
      monotonicMs: () => clock.monotonic(),
    });
    const loop = new ControlLoop({
      link,
      bundles: { hash: undefined, accept: trust.accept },
      commands: runner,
      reports: outbox,
      status,
      clock,
      chance: Math.random,
      isNewlyEnrolled: true,
    });
    return { state, outbox, runner, status, loop };
  }

  #executor(): CommandExecutor {
    return {
      execute: async (command, tell) => {
        this.begun.push(command.id);
        return await this.work(command, tell);
      },
      resume: async (command) => {
        this.resumed.push(command.id);
        return await Promise.resolve(undefined);
      },
    };
  }
}

const never = new AbortController().signal;

/** What a machine believes: the keys of the newest bundle, until its daemon ends. */
function trustOf(reader: BundleReader): {
  accept(this: void, jws: string): void;
  command(this: void, jws: string): CommandDocument;
} {
  let known: ReturnType<typeof verifyBundle> | undefined;
  return {
    accept: (jws) => {
      known = verifyBundle(jws, reader, known?.floors ?? noFloors);
    },
    command: (jws) => {
      const keys = known?.bundle.trust.roles.policy ?? [];
      return verifyDocument(jws, { type: "command", schema: commandDocument, keys });
    },
  };
}
