/** Runs sessions: takes requests, holds them back while they may not start, and knows all that there is of them. */
import { randomBytes } from "node:crypto";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type {
  EndRequest,
  Hold,
  QueuedSession,
  RunningSession,
  SessionDetail,
  SessionQuery,
  SessionRecord,
} from "../../protocol/session-record.ts";
import type { State } from "../state/state.ts";
import type { HoldRule, Jobs, JobsListener, PolicyPause, RunRequest, RunTicket } from "./jobs.ts";
import { orphanGone } from "./orphan-engine.ts";
import { Pauses } from "./pauses.ts";
import { readReport, tidyReports } from "./report-file.ts";
import { concluded, failed, interrupted } from "./session-conclusion.ts";
import { SessionJournal } from "./session-journal.ts";
import { SessionRun, type SessionSurroundings } from "./session-run.ts";

export interface JobRunnerOptions
  extends Omit<SessionSurroundings, "journal" | "progress" | "issue"> {
  readonly state: State;
  /** Asked before each start, and again whenever something has changed. */
  readonly hold: HoldRule;
  /** At least 1. */
  readonly sessionsAtOnce: number;
  /** Told of mistakes of ours, which end the session that they happen in as far as that is possible. */
  readonly onFailure: (error: unknown) => void;
}

const queuedMax = 200;
/** A hold that ends by the clock is looked at again at least this often: clocks are set. */
const lookAgainMsMax = 60_000;

export class JobRunner implements Jobs {
  readonly #options: JobRunnerOptions;
  readonly #state: State;
  readonly #journal: SessionJournal;
  readonly #pauses: Pauses;
  readonly #listeners = new Set<JobsListener>();
  /** By session; those of an earlier process too, until their engines are gone. */
  readonly #runs = new Map<string, SessionRun>();
  readonly #ends = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();
  #timer = new AbortController();
  #isStarted = false;

  constructor(options: JobRunnerOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#pauses = new Pauses(options.state.facts, () => options.clock.now());
    this.#journal = new SessionJournal(options.state.sessions, (session) =>
      this.#tell((listener) => listener.changed?.(session)),
    );
  }

  /** Takes up what an earlier process has left, and begins to start sessions. To be called once. */
  start(): void {
    const left = this.#journal.load();
    tidyReports(this.#options.reportFolder, (id) => this.#journal.find(id) !== undefined);
    for (const session of left)
      if (session.state !== "queued") this.#follow(session, (run) => this.#recover(session, run));
    this.#isStarted = true;
    this.reconsider();
  }

  request(run: RunRequest): RunTicket {
    if (this.#stopped.signal.aborted) throw new BackstayError("SHUTTING_DOWN");
    const known = run.task === undefined ? this.#backupToJoin(run.policy) : undefined;
    if (known !== undefined) {
      const session = known.state === "queued" ? this.#joined(known, run) : known;
      this.reconsider();
      return { session, joined: true };
    }
    if (this.#waiting().length >= queuedMax)
      throw new BackstayError("QUEUE_FULL", { waiting: queuedMax });
    const id = randomBytes(8).toString("hex");
    this.#journal.add({
      id,
      policy: run.policy,
      kind: run.task?.kind ?? "backup",
      ...(run.task !== undefined && { task: run.task }),
      cause: run.cause,
      attempt: run.attempt ?? 1,
      priority: run.priority,
      repository: run.repository,
      state: "queued",
      queuedMs: this.#options.clock.now(),
      issues: 0,
      scripts: [],
    });
    this.reconsider();
    const session = this.#journal.find(id) ?? this.#state.sessions.get(id);
    if (session === undefined)
      throw new BackstayError("INTERNAL", { problem: "a session is lost" });
    return { session, joined: false };
  }

  cancel(sessionId: string, request: EndRequest): boolean {
    const run = this.#runs.get(sessionId);
    const session = run?.running?.session;
    if (run !== undefined && session !== undefined) {
      run.end(request);
      this.#tell((listener) => listener.changed?.(session));
      return true;
    }
    if (this.#journal.find(sessionId) === undefined) return false;
    this.#journal.move(sessionId, "finished", {
      ...concluded({ lastWords: "" }, request, 0),
      finishedMs: this.#options.clock.now(),
    });
    return true;
  }

  pause(pause: { policy?: string; untilMs?: number; reason: string }): PolicyPause {
    const added = this.#pauses.add(pause);
    this.reconsider();
    return added;
  }

  resume(policy?: string): number {
    const ended = this.#pauses.end(policy);
    this.reconsider();
    return ended;
  }

  pauses(): readonly PolicyPause[] {
    return this.#pauses.all();
  }

  reconsider(): void {
    if (!this.#isStarted || this.#stopped.signal.aborted) return;
    this.#timer.abort();
    this.#timer = new AbortController();
    let wakeMs = Infinity;
    for (const session of this.#waiting()) {
      const hold = this.#holdOf(session);
      if (hold === undefined) this.#follow(session, (run) => run.run());
      else wakeMs = Math.min(wakeMs, hold.untilMs ?? Infinity);
    }
    if (wakeMs < Infinity) void this.#reconsiderAt(wakeMs, this.#timer.signal);
  }

  queued(): readonly QueuedSession[] {
    return this.#waiting().map((session) => {
      const hold = this.#holdOf(session);
      return hold === undefined ? { session } : { session, hold };
    });
  }

  running(): readonly RunningSession[] {
    return [...this.#runs.values()].flatMap((run) => run.running ?? []);
  }

  sessions(query: SessionQuery = {}): readonly SessionRecord[] {
    return this.#state.sessions.list(query);
  }

  session(id: string): SessionDetail | undefined {
    this.#runs.get(id)?.saveIssues();
    const session = this.#state.sessions.get(id);
    return session === undefined ? undefined : { session, issues: this.#state.sessions.issues(id) };
  }

  lastGood(policy: string): SessionRecord | undefined {
    return this.#state.sessions.lastGood(policy);
  }

  failuresSinceGood(policy: string): number {
    return this.#state.sessions.failuresSinceGood(policy);
  }

  async finished(sessionId: string, signal: AbortSignal): Promise<SessionRecord> {
    signal.throwIfAborted();
    const ended = Promise.withResolvers<SessionRecord>();
    const unsubscribe = this.subscribe({
      changed: (session) => {
        if (session.id === sessionId && session.state === "finished") ended.resolve(session);
      },
    });
    const onAbort = (): void => ended.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const session = this.#state.sessions.get(sessionId);
      if (session === undefined) throw new BackstayError("SESSION_NOT_FOUND", { id: sessionId });
      return session.state === "finished" ? session : await ended.promise;
    } finally {
      unsubscribe();
      signal.removeEventListener("abort", onAbort);
    }
  }

  subscribe(listener: JobsListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopped.abort();
    this.#timer.abort();
    const request: EndRequest = { by: "shutdown", text: "the daemon ends" };
    for (const run of this.#runs.values()) run.end(request);
    const over = new AbortController();
    const all = Promise.all(this.#ends.values());
    const late = this.#options.clock.sleep(graceMs, over.signal).then(
      () => {
        for (const run of this.#runs.values()) run.kill(request);
      },
      () => undefined,
    );
    await all;
    over.abort();
    await late;
  }

  /** In the order in which they start. */
  #waiting(): SessionRecord[] {
    return this.#journal
      .live()
      .filter(({ id, state }) => state === "queued" && !this.#runs.has(id))
      .toSorted((a, b) => b.priority - a.priority);
  }

  /** The backup of a policy that will do what is asked for: it waits, or it works and nothing ends it yet. */
  #backupToJoin(policy: string): SessionRecord | undefined {
    const live = this.#journal
      .live()
      .filter((session) => session.policy === policy && session.kind === "backup");
    const isWorking = ({ id, state }: SessionRecord): boolean =>
      (state === "preparing" || state === "running") && this.#runs.get(id)?.isWorking === true;
    return live.find(({ state }) => state === "queued") ?? live.find(isWorking);
  }

  /** A queued session that stands for one more request. */
  #joined(session: SessionRecord, run: RunRequest): SessionRecord {
    const isStronger = run.cause.kind === "manual" && session.cause.kind !== "manual";
    return this.#journal.update(session.id, {
      priority: Math.max(session.priority, run.priority),
      ...(isStronger ? { cause: run.cause } : {}),
    });
  }

  #holdOf(session: SessionRecord): Hold | undefined {
    const pause = session.cause.kind === "manual" ? undefined : this.#pauses.of(session.policy);
    if (pause !== undefined) {
      const { reason, untilMs } = pause;
      return { code: "paused", text: reason, ...(untilMs === undefined ? {} : { untilMs }) };
    }
    // A restore reads: it waits for no backup, and no backup waits for it.
    const isRestore = session.kind === "restore";
    const others = this.running()
      .map((run) => run.session)
      .filter(({ kind }) => (kind === "restore") === isRestore);
    if (isRestore) return this.#restoreHold(others);
    if (others.some(({ policy }) => policy === session.policy))
      return { code: "policy-busy", text: "its last session is still ending" };
    const busy = others.find(({ repository }) => repository === session.repository);
    if (busy !== undefined)
      return { code: "repository-busy", text: `a session of ${busy.policy} works there` };
    if (others.length >= this.#options.sessionsAtOnce)
      return { code: "sessions-at-once", text: `${others.length} sessions run already` };
    return this.#options.hold(session);
  }

  #restoreHold(others: readonly SessionRecord[]): Hold | undefined {
    if (others.length < this.#options.sessionsAtOnce) return undefined;
    return { code: "sessions-at-once", text: `${others.length} restores run already` };
  }

  async #reconsiderAt(timeMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    try {
      await clock.sleep(Math.min(lookAgainMsMax, Math.max(1, timeMs - clock.now())), signal);
      this.reconsider();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Lets a session work; the queue is looked at again when it has ended. */
  #follow(session: SessionRecord, work: (run: SessionRun) => Promise<void>): void {
    const { id } = session;
    const run = new SessionRun(session, {
      ...this.#options,
      journal: this.#journal,
      progress: (of, progress) => this.#tell((listener) => listener.progress?.(of, progress)),
      issue: (of, issue) => this.#tell((listener) => listener.issue?.(of, issue)),
    });
    this.#runs.set(id, run);
    const ended = work(run)
      .catch((error: unknown) => this.#abandon(run, error))
      .then(() => {
        this.#runs.delete(id);
        this.#ends.delete(id);
        this.reconsider();
      });
    this.#ends.set(id, ended);
  }

  #abandon(run: SessionRun, error: unknown): void {
    // Its engine was not waited for: the next process does that.
    if (this.#stopped.signal.aborted && error === this.#stopped.signal.reason) return;
    this.#options.onFailure(error);
    run.kill({ by: "shutdown", text: "something impossible happened" });
    const finishedMs = this.#options.clock.now();
    this.#journal.abandon(run.id, { ...failed(error, 0), finishedMs });
  }

  /** Ends a session that an earlier process has begun, once its engine is gone. */
  async #recover(session: SessionRecord, run: SessionRun): Promise<void> {
    await orphanGone(session, this.#options, this.#stopped.signal);
    const { outcome, exitCode, issues } = session;
    if (outcome !== undefined && exitCode !== undefined)
      return await run.finishFor({ ...session, outcome, exitCode, issues });
    const report = readReport(this.#options.reportFolder, session.id);
    if (report !== undefined && report.outcome !== "canceled")
      return await run.finishFor(concluded({ report, lastWords: "" }, undefined, 0));
    const isOtherBoot = session.boot !== this.#options.limits.boot().id;
    const problem = isOtherBoot ? "the machine was restarted" : "the daemon was ended";
    await run.finishFor(interrupted(problem, report?.issues ?? 0));
  }

  #tell(what: (listener: JobsListener) => void): void {
    for (const listener of [...this.#listeners]) what(listener);
  }
}
