/**
 * A machine for tests of the schedule: it sleeps, is switched off, dies between any two steps, has its clock set and
 * its zone changed; its time passes only as told. Sessions do nothing and last as long as they are told.
 */

import type { EventKind, ScheduleRules } from "../../protocol/policy/schedule-rules.ts";
import type { Moment } from "../../protocol/schedule/moment.ts";
import { type Plan, planRuns } from "../../protocol/schedule/plan-runs.ts";
import type { EndedSession, HappenedEvent } from "../../protocol/schedule/schedule-facts.ts";
import {
  readScheduleMemory,
  type ScheduleMemory,
} from "../../protocol/schedule/schedule-memory.ts";
import type { PolicyKind } from "../../protocol/schedule/session-results.ts";
import type { EndRequest, RunCause, SessionOutcome } from "../../protocol/session-record.ts";

export interface SimulatedRun {
  readonly id: string;
  readonly cause: RunCause;
  readonly attempt: number;
  /** By the clock that nobody can set. */
  readonly trueMs: number;
  /** By the machine's clock. */
  readonly wallMs: number;
}

export interface SessionEnd {
  readonly outcome: SessionOutcome;
  readonly endedBy?: EndRequest;
}

/** How long looks are apart at most while nothing else is known; as the daemon does it. */
const lookEveryMsMax = 30_000;
/** The same for a machine that trusts its plan, while a session runs or nothing is planned. */
const lookEveryMsWhileRunning = 600_000;

export class SimulatedMachine {
  readonly runs: SimulatedRun[] = [];
  readonly leftOut: string[] = [];
  readonly stops: string[] = [];
  plan!: Plan;
  zone: string;
  kind: PolicyKind = "server";
  /** How long a session lasts, and how it ends. */
  durationMs = 0;
  end: SessionEnd = { outcome: "success" };
  /** Dies right after the memory is stored the next time a run is decided. */
  diesBeforeRequest = false;
  /** From 0 to below 1. */
  chance = 0;
  /** True: looks only when the plan says, to see that it says so in time. */
  trustsPlan = false;
  /** Looks that saw nothing to do at the moment that the plan before had named. */
  readonly brokenPromises: string[] = [];
  #rules: ScheduleRules;
  #trueMs: number;
  #skewMs = 0;
  #monotonicMs = 0;
  #starts = 1;
  #memory: ScheduleMemory | undefined;
  #stored: string | undefined;
  #running: SimulatedRun | undefined;
  #startedMs = 0;
  #lastEnded: EndedSession | undefined;

  /** `start` is ISO text of a moment. */
  constructor(rules: ScheduleRules, zone: string, start: string) {
    this.#rules = rules;
    this.zone = zone;
    this.#trueMs = Date.parse(start);
    this.look();
  }

  get wallMs(): number {
    return this.#trueMs + this.#skewMs;
  }

  get trueMs(): number {
    return this.#trueMs;
  }

  /** Runs as the clock showed them, each with its kind: `05-04T09:00 schedule`. */
  get log(): string[] {
    return this.runs.map(({ wallMs, cause }) => `${this.#shown(wallMs)} ${cause.kind}`);
  }

  /** The next run of the plan as the clock will show it. */
  get next(): string {
    const { atMs, reason } = this.plan.next;
    return `${atMs === undefined ? "" : `${this.#shown(atMs)} `}${reason}`;
  }

  useRules(rules: ScheduleRules): void {
    this.#rules = rules;
    this.look();
  }

  happens(kind: EventKind): void {
    this.look([{ kind, text: kind }]);
  }

  /** Somebody asks for a run by hand. */
  startByHand(): void {
    this.#start({ kind: "manual", text: "by hand" }, 1);
    this.look();
  }

  /** The machine is on and awake for so long. */
  pass(ms: number): void {
    const endMs = this.#trueMs + ms;
    while (this.#trueMs < endMs) {
      const { decision, next } = this.plan;
      const runs = this.runs.length;
      const isWaiting = decision.kind === "wait" && this.#running === undefined;
      const nextMs = next.atMs === undefined ? Number.POSITIVE_INFINITY : next.atMs - this.wallMs;
      const promisedMs = isWaiting && nextMs > 0 ? nextMs : lookEveryMsWhileRunning;
      const lookMs = this.trustsPlan ? promisedMs : Math.min(promisedMs, lookEveryMsMax);
      const runEndMs =
        this.#running === undefined
          ? Number.POSITIVE_INFINITY
          : this.#running.trueMs + this.durationMs - this.#trueMs;
      const stepMs = Math.max(0, Math.min(lookMs, runEndMs, endMs - this.#trueMs));
      this.#advance(stepMs);
      if (stepMs >= runEndMs) this.endSession(this.end);
      else this.look();
      if (isWaiting && stepMs === nextMs && this.runs.length === runs)
        this.brokenPromises.push(`${this.#shown(this.wallMs)} ${next.reason}`);
    }
  }

  /** Until the clock shows that; ISO text without zone. */
  passUntil(local: string): void {
    const at = Temporal.PlainDateTime.from(local).toZonedDateTime(this.zone).epochMilliseconds;
    this.pass(at - this.wallMs);
  }

  sleep(ms: number): void {
    this.#trueMs += ms;
    this.look();
  }

  /** Without power for so long; a session that runs is interrupted. */
  powerOff(ms: number): void {
    this.#trueMs += ms;
    this.#restart();
  }

  powerOffUntil(local: string): void {
    const at = Temporal.PlainDateTime.from(local).toZonedDateTime(this.zone).epochMilliseconds;
    this.powerOff(at - this.wallMs);
  }

  /** Somebody sets the clock forward, or back if negative. */
  setClock(byMs: number): void {
    this.#skewMs += byMs;
    this.look();
  }

  changeZone(zone: string): void {
    this.zone = zone;
    this.look();
  }

  endSession(end: SessionEnd): void {
    const run = this.#running;
    if (run === undefined) return;
    this.#running = undefined;
    this.#lastEnded = {
      id: run.id,
      cause: run.cause,
      attempt: run.attempt,
      startedMs: this.#startedMs,
      finishedMs: this.wallMs,
      ...end,
    };
    this.look();
  }

  look(events: readonly HappenedEvent[] = [], finishedPolicies: readonly string[] = []): void {
    const now: Moment = {
      wallMs: this.wallMs,
      monotonicMs: this.#monotonicMs,
      clockId: `start ${this.#starts}`,
    };
    const running = this.#running;
    this.plan = planRuns(this.#rules, this.kind, this.#memory, {
      now,
      zone: this.zone,
      chance: this.chance,
      ...(running && {
        session: { isManual: running.cause.kind === "manual", hasStarted: true },
      }),
      ...(this.#lastEnded && { lastEnded: this.#lastEnded }),
      events,
      finishedPolicies,
    });
    const { decision, memory, isMemoryChanged, leftOut } = this.plan;
    this.#memory = memory;
    this.leftOut.push(...leftOut);
    if (isMemoryChanged) this.#stored = JSON.stringify(memory);
    if (decision.kind === "stop") this.#stop(decision.text);
    if (decision.kind !== "run") return;
    if (this.diesBeforeRequest) {
      this.diesBeforeRequest = false;
      this.#restart();
    } else {
      this.#start(decision.cause, decision.attempt);
      if (this.durationMs === 0) this.endSession(this.end);
    }
  }

  #stop(text: string): void {
    this.stops.push(`${this.#shown(this.wallMs)} ${text}`);
    this.endSession({ outcome: "canceled", endedBy: { by: "window", text } });
  }

  #start(cause: RunCause, attempt: number): void {
    const id = String(this.runs.length);
    this.#running = { id, cause, attempt, trueMs: this.#trueMs, wallMs: this.wallMs };
    this.#startedMs = this.wallMs;
    this.runs.push(this.#running);
  }

  #advance(ms: number): void {
    this.#trueMs += ms;
    this.#monotonicMs += ms;
  }

  #restart(): void {
    this.#starts++;
    this.#monotonicMs = 0;
    const stored: unknown = this.#stored === undefined ? undefined : JSON.parse(this.#stored);
    this.#memory = readScheduleMemory(stored);
    if (stored !== undefined && this.#memory === undefined) throw new Error("memory not read");
    if (this.#running === undefined) this.look();
    else this.endSession({ outcome: "interrupted" });
  }

  #shown(atMs: number): string {
    const at = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(this.zone);
    return at.toPlainDateTime().toString({ smallestUnit: "minute" }).slice(5);
  }
}
