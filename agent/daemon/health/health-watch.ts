/** Looks at how the agent is: once a minute, and when something has happened. */
import { returnMemory } from "../../../platform/memory-return.ts";
import type { Probe } from "../../../platform/ports/system-events.ts";
import { stateOf } from "../../../protocol/control/repository-stand.ts";
import type { Moment } from "../../../protocol/schedule/moment.ts";
import type { SessionRecord } from "../../../protocol/session-record.ts";
import type { DaemonCore } from "../daemon-core.ts";
import { sourceOfEvent } from "../machine-events.ts";
import type { PolicyBook } from "../policy-book.ts";
import type { SessionHistory } from "../session-history.ts";
import {
  ClockCheck,
  checkEvents,
  checkPast,
  checkPolicies,
  checkSecrets,
  checkState,
} from "./health-checks.ts";

export interface HealthWatchParts {
  readonly core: DaemonCore;
  readonly policies: PolicyBook;
  readonly history: SessionHistory;
  readonly now: () => Moment;
  readonly probes: () => ReadonlyMap<string, Probe>;
  readonly secretsNeeded: () => readonly string[];
  readonly onClockSet: () => void;
  /** After each look. */
  readonly onLooked: () => void;
  /** Nothing waits or runs. */
  readonly isIdle: () => boolean;
}

const intervalMs = 60_000;
const pruneMs = 24 * 3_600_000;
/** After a start, and then now and then: what was needed meanwhile is not needed by an idle daemon. */
const memoryReturn = { firstMs: 3_000, everyMs: 30 * 60_000 };

export class HealthWatch {
  readonly #parts: HealthWatchParts;
  readonly #clock: ClockCheck;
  #timer: NodeJS.Timeout | undefined;
  #memoryTimer: NodeJS.Timeout | undefined;
  #lookedMs: number;
  #prunedMs: number | undefined;
  #work: Promise<void> = Promise.resolve();
  #isWaiting = false;
  #isStopped = false;

  constructor(parts: HealthWatchParts) {
    this.#parts = parts;
    this.#clock = new ClockCheck(parts.now());
    this.#lookedMs = performance.now();
  }

  /** Looks now, and then every minute. */
  async start(): Promise<void> {
    await this.look();
    this.#timer = setInterval(() => void this.look(), intervalMs);
    this.#memoryTimer = setTimeout(() => this.#returnMemory(), memoryReturn.firstMs);
  }

  /** To be told of each change of a session. What a check found stays true until another one. */
  sessionChanged(session: SessionRecord): void {
    const { policy, kind, state, outcome, failure, route, isDetour } = session;
    if (state !== "finished") return;
    const { board } = this.#parts.core;
    if (kind === "backup" && route !== undefined) this.#stand(session);
    if (route !== undefined)
      board.set(
        "ROUTE_CHANGED",
        policy,
        isDetour === true ? { problem: `it is ${route}` } : undefined,
      );
    if (kind !== "check") return;
    if (failure?.code === "CHECK_FAILED")
      board.set("REPOSITORY_DAMAGED", policy, { problem: failure.message });
    else if (outcome === "success") board.set("REPOSITORY_DAMAGED", policy, undefined);
  }

  /** A backup was at its repository, and knows whether that takes part. */
  #stand({ policy, stand }: SessionRecord): void {
    const { board } = this.#parts.core;
    const found = stateOf(stand?.modes ?? []);
    const problem = { problem: `so says the ${stand?.source ?? "server"}` };
    board.set("REPOSITORY_MAINTENANCE", policy, found === "maintenance" ? problem : undefined);
    board.set("REPOSITORY_SEALED", policy, found === "sealed" ? problem : undefined);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#memoryTimer);
    await this.#work;
  }

  /** False if looks don't come to an end any more. */
  isMoving(): boolean {
    return performance.now() - this.#lookedMs < 3 * intervalMs;
  }

  /** Looks once, after any look that is under way; one that waits already serves everybody. */
  async look(): Promise<void> {
    if (!this.#isWaiting) {
      this.#isWaiting = true;
      this.#work = this.#work.then(async () => {
        this.#isWaiting = false;
        if (!this.#isStopped) await this.#look();
      });
    }
    await this.#work;
  }

  async #look(): Promise<void> {
    const { core, policies, history, now, probes, onClockSet, onLooked } = this.#parts;
    const { board, state, places, log, options } = core;
    try {
      const byMs = this.#clock.look(board, now());
      if (byMs !== 0) {
        log.warning("The clock was set.", { byMs });
        onClockSet();
      }
      checkState(board, state, places.state);
      checkPolicies(board, policies);
      checkPast(board, policies.inForce.keys(), (policy) => history.of(policy));
      const all = [...policies.inForce.values()].map(({ policy }) => policy);
      checkEvents(board, all, probes(), sourceOfEvent);
      await checkSecrets(board, options.secrets, this.#parts.secretsNeeded());
      this.#prune(options.clock.now());
      onLooked();
      this.#lookedMs = performance.now();
    } catch (error) {
      log.failure("A look at the agent's health went wrong.", error);
    }
  }

  #returnMemory(): void {
    const isIdle = this.#parts.isIdle();
    if (isIdle) returnMemory();
    const delayMs = isIdle ? memoryReturn.everyMs : intervalMs;
    this.#memoryTimer = setTimeout(() => this.#returnMemory(), delayMs);
  }

  #prune(nowMs: number): void {
    if (this.#prunedMs !== undefined && Math.abs(nowMs - this.#prunedMs) < pruneMs) return;
    this.#prunedMs = nowMs;
    this.#parts.core.state.prune(nowMs);
  }
}
