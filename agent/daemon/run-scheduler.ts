/**
 * Looks at what every policy's schedule asks for, whenever the time has come or something has happened, and asks the
 * jobs for runs. What a schedule remembers is stored before a run that it names is asked for.
 */
import type { NextRun } from "../../protocol/local-api/status.ts";
import type { Moment } from "../../protocol/schedule/moment.ts";
import { type Plan, planRuns } from "../../protocol/schedule/plan-runs.ts";
import type { HappenedEvent } from "../../protocol/schedule/schedule-facts.ts";
import {
  readScheduleMemory,
  type ScheduleMemory,
} from "../../protocol/schedule/schedule-memory.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { ScheduleMemoryStore } from "../state/state.ts";
import type { PolicyInForce } from "./policy-book.ts";

export interface RunSchedulerParts {
  readonly inForce: () => ReadonlyMap<string, PolicyInForce>;
  readonly memory: ScheduleMemoryStore;
  readonly jobs: Jobs;
  /** The policy's session that ended last. */
  readonly lastEnded: (policy: string) => SessionRecord | undefined;
  readonly now: () => Moment;
  /** Of the machine, IANA name. */
  readonly zone: () => string;
  /** From 0 to below 1, anew each time. */
  readonly chance: () => number;
  /** Sleeps until a moment of the wall clock or longer; rejects when aborted. */
  readonly sleep: (delayMs: number, signal: AbortSignal) => Promise<void>;
  /** For the log: what was due and does not run, and what went wrong with a policy's schedule. */
  readonly onLeftOut: (policy: string, text: string) => void;
  readonly onFailure: (policy: string, error: unknown) => void;
  /** When the machine should be woken; absent: not. Told after each look. */
  readonly onWake: (atMs: number | undefined) => void;
}

/** Clocks are set, and windows close: nobody waits longer without a look. */
const restMsMax = 60_000;
const restMsMin = 20;

interface PendingEvent {
  readonly event: HappenedEvent;
  /** Absent: all. */
  readonly policies?: readonly string[];
}

export class RunScheduler {
  readonly #parts: RunSchedulerParts;
  readonly #memories = new Map<string, ScheduleMemory | undefined>();
  readonly #plans = new Map<string, Plan>();
  #events: PendingEvent[] = [];
  /** Policies of which a session has ended since the last look. */
  #ended = new Set<string>();
  #rest = new AbortController();
  #isStopped = true;
  #isLooking = false;
  #work: Promise<void> | undefined;

  constructor(parts: RunSchedulerParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#isStopped = false;
    this.#work ??= this.#run();
  }

  /** Asks for nothing more, and notes down when it looked last. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#rest.abort();
    await this.#work;
    for (const [name, memory] of this.#memories)
      if (memory !== undefined && this.#parts.inForce().has(name))
        this.#parts.memory.put(name, memory);
  }

  /** Something has happened; to the policies that are named, or to all. It is looked at before this returns. */
  happened(event: HappenedEvent, policies?: readonly string[]): void {
    this.#events.push({ event, ...(policies !== undefined && { policies }) });
    this.wake();
  }

  /** Something has happened that the next look shall see. */
  expect(event: HappenedEvent): void {
    this.#events.push({ event });
  }

  /** To be told of each change of a session. */
  sessionChanged({ policy, state, kind }: SessionRecord): void {
    if (state !== "finished" || kind !== "backup") return;
    this.#ended.add(policy);
    // Jobs tell of it in the middle of their work.
    setImmediate(() => this.wake());
  }

  /** Looks now: facts have changed. */
  wake(): void {
    this.#look();
    this.#rest.abort();
  }

  /** Forgets policies that are gone for good. */
  forget(policy: string): void {
    this.#memories.delete(policy);
    this.#plans.delete(policy);
    this.#parts.memory.remove(policy);
  }

  nextRun(policy: string): NextRun {
    const found = this.#parts.inForce().get(policy);
    if (found?.policy.enabled === false) return { reason: "the policy is switched off" };
    if (found?.server?.managedBy === "server") return { reason: "the server starts it" };
    return this.#plans.get(policy)?.next ?? { reason: "not planned yet" };
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#rest = new AbortController();
      this.#look();
      const nowMs = this.#parts.now().wallMs;
      const nextMs = Math.min(
        ...[...this.#plans.values()].map(({ next }) => next.atMs ?? Number.POSITIVE_INFINITY),
      );
      const restMs = Math.min(Math.max(nextMs - nowMs, restMsMin), restMsMax);
      try {
        await this.#parts.sleep(restMs, this.#rest.signal);
      } catch {
        // Woken early, or stopped.
      }
    }
  }

  #look(): void {
    // A run that is asked for may tell of itself at once.
    if (this.#isStopped || this.#isLooking) return;
    this.#isLooking = true;
    try {
      const events = this.#events;
      const ended = this.#ended;
      this.#events = [];
      this.#ended = new Set();
      const { inForce } = this.#parts;
      for (const name of [...this.#plans.keys()])
        if (!isPlannedHere(inForce().get(name))) this.#plans.delete(name);
      const enabled = [...inForce().values()].filter(isPlannedHere);
      // Those that ended first: whether a failure is tried again decides what follows it.
      const inOrder = enabled.toSorted(
        (a, b) => Number(ended.has(b.name)) - Number(ended.has(a.name)),
      );
      const finished: string[] = [];
      for (const found of inOrder) {
        this.#lookAt(found, events, finished);
        if (ended.has(found.name) && this.#isOver(found.name)) finished.push(found.name);
      }
      const wakes = [...this.#plans.values()].flatMap(({ wakeMs }) => wakeMs ?? []);
      this.#parts.onWake(wakes.length === 0 ? undefined : Math.min(...wakes));
    } finally {
      this.#isLooking = false;
    }
  }

  /** Nothing more comes of the session that ended last: no retry, no going on. */
  #isOver(policy: string): boolean {
    const memory = this.#memories.get(policy);
    return memory?.retry === undefined && memory?.due === undefined;
  }

  #lookAt(
    found: PolicyInForce,
    events: readonly PendingEvent[],
    finished: readonly string[],
  ): void {
    const { name, policy } = found;
    try {
      this.#act(found, this.#plan(found, events, finished));
    } catch (error) {
      this.#plans.set(name, {
        decision: { kind: "wait" },
        next: { reason: `policy ${policy.name} can't be planned: see the log` },
        isMemoryChanged: false,
        leftOut: [],
      });
      this.#parts.onFailure(name, error);
    }
  }

  #plan(
    { name, policy }: PolicyInForce,
    events: readonly PendingEvent[],
    finishedPolicies: readonly string[],
  ): Plan {
    const { jobs, now, zone, chance, lastEnded, memory } = this.#parts;
    if (!this.#memories.has(name)) this.#memories.set(name, readScheduleMemory(memory.get(name)));
    const session = backupOf(jobs, name);
    const ended = lastEnded(name);
    return planRuns(policy.schedule, policy.kind, this.#memories.get(name), {
      now: now(),
      zone: zone(),
      chance: chance(),
      ...(session !== undefined && {
        session: {
          isManual: session.cause.kind === "manual",
          hasStarted: session.state !== "queued",
        },
      }),
      ...(ended !== undefined && { lastEnded: ended }),
      events: events
        .filter(({ policies }) => policies === undefined || policies.includes(name))
        .map(({ event }) => event),
      finishedPolicies,
    });
  }

  #act({ name, policy }: PolicyInForce, plan: Plan): void {
    const { jobs, memory, onLeftOut } = this.#parts;
    const { decision, leftOut } = plan;
    this.#plans.set(name, plan);
    this.#memories.set(name, plan.memory);
    if (plan.memory !== undefined && plan.isMemoryChanged) memory.put(name, plan.memory);
    for (const text of leftOut) onLeftOut(name, text);
    if (decision.kind === "run") {
      const { cause, attempt } = decision;
      const { repository } = policy.destination;
      jobs.request({ policy: name, cause, attempt, priority: policy.priority, repository });
    }
    const session = decision.kind === "stop" ? backupOf(jobs, name) : undefined;
    if (decision.kind === "stop" && session !== undefined)
      jobs.cancel(session.id, { by: "window", text: decision.text });
  }
}

/** What is not started here by time or event is started by hand or by the server only. */
function isPlannedHere(found: PolicyInForce | undefined): boolean {
  return found?.policy.enabled === true && found.server?.managedBy !== "server";
}

/** The policy's backup that waits or runs. */
function backupOf(jobs: Jobs, policy: string): SessionRecord | undefined {
  return sessionsOf(jobs, policy).find(({ kind }) => kind === "backup");
}

/** Everything that waits or runs of a policy, or of all. */
export function sessionsOf(
  jobs: Pick<Jobs, "running" | "queued">,
  policy?: string,
): readonly SessionRecord[] {
  return [...jobs.running(), ...jobs.queued()]
    .map(({ session }) => session)
    .filter((session) => policy === undefined || session.policy === policy);
}
