/** A daemon that lives in memory: what the local API asks of one, with sessions that a test moves by hand. */
import type {
  DaemonView,
  FollowedSession,
  LogReading,
  SessionEvents,
  Unsubscribe,
} from "../../agent/local-api/daemon-view.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { DoctorCheck } from "../../protocol/local-api/doctor-check.ts";
import type { HealthReason } from "../../protocol/local-api/health.ts";
import type { LogLine } from "../../protocol/local-api/log-line.ts";
import type {
  CheckRequest,
  EnrolAnswer,
  EnrolRequest,
  PauseRequest,
  ReloadAnswer,
  RestoreRequest,
  ResumeAnswer,
  RunAnswer,
  StopAnswer,
} from "../../protocol/local-api/orders.ts";
import type {
  PolicyDetail,
  PolicyEntry,
  PolicyList,
} from "../../protocol/local-api/policy-list.ts";
import type { PauseStatus, PolicyStatus, StatusFacts } from "../../protocol/local-api/status.ts";
import type { RunIssue, RunProgress } from "../../protocol/run-order.ts";
import type {
  Hold,
  QueuedSession,
  RunningSession,
  SessionDetail,
  SessionQuery,
  SessionRecord,
} from "../../protocol/session-record.ts";

interface LiveSession {
  record: SessionRecord;
  readonly issues: RunIssue[];
  progress?: RunProgress;
  remainingMs?: number;
  hold?: Hold;
  readonly followers: Set<SessionEvents>;
}

export class DaemonInMemory implements DaemonView {
  nowMs = Date.UTC(2026, 2, 1, 12, 0, 0);
  readonly conditions: HealthReason[] = [];
  readonly checks: DoctorCheck[] = [];
  /** Who asked for each run, stop, pause and resume. */
  readonly requests: string[] = [];
  /** How many subscriptions are open. */
  subscriptions = 0;
  readonly #policies = new Map<string, PolicyStatus>();
  readonly #sessions = new Map<string, LiveSession>();
  readonly #pauses = new Map<string, PauseStatus>();
  readonly #lines: LogLine[] = [];
  readonly #statusListeners = new Set<() => void>();
  readonly #logListeners = new Set<(line: LogLine) => void>();
  #lastId = 0;

  addPolicy(name: string, facts: Partial<PolicyStatus> = {}): void {
    this.#policies.set(name, {
      name,
      kind: "server",
      enabled: true,
      maximumAgeMs: 26 * 3_600_000,
      appliedMs: this.nowMs - 3_600_000,
      failuresSinceGood: 0,
      next: { atMs: this.nowMs + 3_600_000, reason: "every day at 13:00" },
      destination: { place: "/mnt/disk/backup", route: "direct", reachable: true },
      ...facts,
    });
    this.#changed();
  }

  /** A session that waits; `hold` says for what. */
  queue(policy: string, text: string, hold?: Hold): string {
    this.#lastId += 1;
    const id = this.#lastId.toString(16).padStart(16, "0");
    const record: SessionRecord = {
      id,
      policy,
      kind: "backup",
      cause: { kind: "manual", text },
      attempt: 1,
      priority: 0,
      repository: "/mnt/disk/backup",
      state: "queued",
      queuedMs: this.nowMs,
      issues: 0,
      scripts: [],
    };
    const session: LiveSession = { record, issues: [], followers: new Set() };
    if (hold !== undefined) session.hold = hold;
    this.#sessions.set(id, session);
    this.#changed();
    return id;
  }

  /** Changes the record of a session, and tells its followers. */
  change(id: string, changes: Partial<SessionRecord>): void {
    const session = this.#live(id);
    session.record = { ...session.record, ...changes };
    for (const follower of session.followers) follower.changed(session.record);
    this.#changed();
  }

  start(id: string): void {
    this.change(id, { state: "running", startedMs: this.nowMs });
  }

  finish(id: string, changes: Partial<SessionRecord> = {}): void {
    this.change(id, {
      state: "finished",
      finishedMs: this.nowMs,
      outcome: "success",
      exitCode: 0,
      ...changes,
    });
  }

  progress(id: string, progress: RunProgress, remainingMs?: number): void {
    const session = this.#live(id);
    session.progress = progress;
    if (remainingMs !== undefined) session.remainingMs = remainingMs;
    for (const follower of session.followers) follower.progress(progress);
    this.#changed();
  }

  issue(id: string, issue: RunIssue): void {
    const session = this.#live(id);
    session.issues.push(issue);
    session.record = { ...session.record, issues: session.issues.length };
    for (const follower of session.followers) follower.issue(issue);
  }

  write(text: string, level: LogLine["level"] = "info"): void {
    const line: LogLine = { timeMs: this.nowMs, level, text, fields: {} };
    this.#lines.push(line);
    for (const listener of this.#logListeners) listener(line);
  }

  status(): StatusFacts {
    const live = [...this.#sessions.values()];
    return {
      timeMs: this.nowMs,
      agent: {
        version: "0.1.0",
        hostName: "host.example",
        mode: "standalone",
        processId: 4711,
        startMs: this.nowMs - 86_400_000,
      },
      policies: [...this.#policies.values()],
      running: live.filter(({ record }) => isRunning(record)).map(runningOf),
      waiting: live.filter(({ record }) => record.state === "queued").map(queuedOf),
      pauses: [...this.#pauses.values()],
      conditions: this.conditions,
    };
  }

  onStatusChange(listener: () => void): Unsubscribe {
    return this.#subscribe(this.#statusListeners, listener);
  }

  sessions({ policy, limit = 100 }: SessionQuery): readonly SessionRecord[] {
    return [...this.#sessions.values()]
      .map(({ record }) => record)
      .filter((record) => policy === undefined || record.policy === policy)
      .reverse()
      .slice(0, limit);
  }

  session(id: string): SessionDetail | undefined {
    const session = this.#sessions.get(id);
    return session && { session: session.record, issues: session.issues };
  }

  followSession(id: string, events: SessionEvents): FollowedSession | undefined {
    const session = this.#sessions.get(id);
    if (session === undefined) return undefined;
    const stop = this.#subscribe(session.followers, events);
    return { session: session.record, issues: [...session.issues], stop };
  }

  run(policy: string, requestedBy: string): RunAnswer {
    this.#known(policy);
    this.requests.push(`run ${policy} by ${requestedBy}`);
    const live = [...this.#sessions.values()].find(
      ({ record }) => record.policy === policy && record.state !== "finished",
    );
    if (live !== undefined) return { sessionId: live.record.id, joined: true };
    return { sessionId: this.queue(policy, `asked for by ${requestedBy}`), joined: false };
  }

  restore({ policy, snapshot, target }: RestoreRequest, requestedBy: string): RunAnswer {
    this.#known(policy);
    this.requests.push(`restore ${snapshot} of ${policy} to ${target} by ${requestedBy}`);
    return { sessionId: this.queue(policy, `asked for by ${requestedBy}`), joined: false };
  }

  check({ policy, data }: CheckRequest, requestedBy: string): RunAnswer {
    this.#known(policy);
    this.requests.push(`check ${data} of ${policy} by ${requestedBy}`);
    return { sessionId: this.queue(policy, `asked for by ${requestedBy}`), joined: false };
  }

  enroll({ token }: EnrolRequest, requestedBy: string): EnrolAnswer {
    this.requests.push(`enroll by ${requestedBy}`);
    if (token !== "bk1_good") throw new BackstayError("ENROLMENT_TOKEN_INVALID");
    return { state: "enrolled", agentId: "agent-1", tenant: "acme", text: "" };
  }

  sync(): void {
    this.requests.push("sync");
  }

  leave(requestedBy: string): void {
    this.requests.push(`leave by ${requestedBy}`);
  }

  stop(policy: string, requestedBy: string): StopAnswer {
    this.#known(policy);
    this.requests.push(`stop ${policy} by ${requestedBy}`);
    const ended = [...this.#sessions.values()].filter(
      ({ record }) => record.policy === policy && record.state !== "finished",
    );
    const endedBy = { by: "user", text: `stopped by ${requestedBy}` } as const;
    for (const { record } of ended)
      this.finish(record.id, { outcome: "canceled", exitCode: 130, endedBy });
    return { sessionIds: ended.map(({ record }) => record.id) };
  }

  pause({ policy, untilMs }: PauseRequest, requestedBy: string): PauseStatus {
    if (policy !== undefined) this.#known(policy);
    this.requests.push(`pause ${policy ?? "all"} by ${requestedBy}`);
    const pause: PauseStatus = {
      sinceMs: this.nowMs,
      reason: `asked for by ${requestedBy}`,
      ...(policy === undefined ? {} : { policy }),
      ...(untilMs === undefined ? {} : { untilMs }),
    };
    this.#pauses.set(policy ?? "", pause);
    this.#changed();
    return pause;
  }

  resume(policy: string | undefined, requestedBy: string): ResumeAnswer {
    if (policy !== undefined) this.#known(policy);
    this.requests.push(`resume ${policy ?? "all"} by ${requestedBy}`);
    const ended = policy === undefined ? this.#pauses.size : Number(this.#pauses.has(policy));
    if (policy === undefined) this.#pauses.clear();
    else this.#pauses.delete(policy);
    this.#changed();
    return { ended };
  }

  policies(): PolicyList {
    return { policies: [...this.#policies.values()].map(entryOf), problems: [] };
  }

  policy(name: string): PolicyDetail | undefined {
    const policy = this.#policies.get(name);
    const effective = [{ path: "kind", value: policy?.kind, origin: "default" }];
    return policy && { ...entryOf(policy), effective };
  }

  reload(): ReloadAnswer | Promise<ReloadAnswer> {
    return { policies: [...this.#policies.keys()], problems: [] };
  }

  readLog(count: number, listener?: (line: LogLine) => void): LogReading {
    const stop =
      listener === undefined ? () => undefined : this.#subscribe(this.#logListeners, listener);
    return { lines: count === 0 ? [] : this.#lines.slice(-count), stop };
  }

  doctor(_signal?: AbortSignal): readonly DoctorCheck[] | Promise<readonly DoctorCheck[]> {
    return this.checks;
  }

  metrics(): string {
    return `backstay_policies ${this.#policies.size}\n`;
  }

  #live(id: string): LiveSession {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new Error(`no session ${id}`);
    return session;
  }

  #known(policy: string): void {
    if (!this.#policies.has(policy)) throw new BackstayError("POLICY_UNKNOWN", { policy });
  }

  #changed(): void {
    for (const listener of this.#statusListeners) listener();
  }

  #subscribe<T>(set: Set<T>, listener: T): Unsubscribe {
    set.add(listener);
    this.subscriptions += 1;
    return () => {
      if (set.delete(listener)) this.subscriptions -= 1;
    };
  }
}

function isRunning({ state }: SessionRecord): boolean {
  return state !== "queued" && state !== "finished";
}

function runningOf({ record, progress, remainingMs }: LiveSession): RunningSession {
  return {
    session: record,
    ...(progress === undefined ? {} : { progress }),
    ...(remainingMs === undefined ? {} : { remainingMs }),
  };
}

function queuedOf({ record, hold }: LiveSession): QueuedSession {
  return { session: record, ...(hold === undefined ? {} : { hold }) };
}

function entryOf({ name, kind, enabled, appliedMs, destination, next }: PolicyStatus): PolicyEntry {
  return {
    name,
    kind,
    enabled,
    origin: `/etc/backstay/policies/${name}.yaml`,
    appliedMs,
    source: "/srv",
    destination: destination.place,
    schedule: next.reason,
  };
}
