/** The daemon as its local API shows it. */
import type { DoctorCheck } from "../../protocol/local-api/doctor-check.ts";
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
import type { PauseStatus, StatusFacts } from "../../protocol/local-api/status.ts";
import { scheduleInWords } from "../../protocol/schedule/schedule-words.ts";
import type {
  SessionDetail,
  SessionQuery,
  SessionRecord,
  SessionTask,
} from "../../protocol/session-record.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type {
  DaemonView,
  FollowedSession,
  LogReading,
  SessionEvents,
  Unsubscribe,
} from "../local-api/daemon-view.ts";
import type { ChangeSignal } from "./change-signal.ts";
import type { ServerSide } from "./control/server-side.ts";
import type { DaemonLog } from "./log/daemon-log.ts";
import { type PolicyBook, type PolicyInForce, problemText } from "./policy-book.ts";
import type { SessionOrders } from "./session-orders.ts";

export interface LocalViewParts {
  readonly jobs: Jobs;
  readonly orders: SessionOrders;
  readonly policies: PolicyBook;
  readonly log: DaemonLog;
  readonly changes: ChangeSignal;
  readonly server: Pick<ServerSide, "enrol" | "sync" | "leave">;
  readonly status: () => StatusFacts;
  readonly metrics: () => string;
  /** Reads policies and configuration again. */
  readonly reload: () => Promise<void>;
  /** Whoever pauses wants the machine for themselves: nothing is done to it for the runs so far. */
  readonly onPause: () => void;
  readonly doctor: (signal: AbortSignal) => Promise<readonly DoctorCheck[]>;
}

const sourcesShownMax = 3;

export class LocalView implements DaemonView {
  readonly #parts: LocalViewParts;

  constructor(parts: LocalViewParts) {
    this.#parts = parts;
  }

  status(): StatusFacts {
    return this.#parts.status();
  }

  onStatusChange(listener: () => void): Unsubscribe {
    return this.#parts.changes.subscribe(listener);
  }

  sessions(query: SessionQuery): readonly SessionRecord[] {
    return this.#parts.jobs.sessions(query);
  }

  session(id: string): SessionDetail | undefined {
    return this.#parts.jobs.session(id);
  }

  followSession(id: string, events: SessionEvents): FollowedSession | undefined {
    const { jobs } = this.#parts;
    const detail = jobs.session(id);
    if (detail === undefined) return undefined;
    const stop = jobs.subscribe({
      changed: (session) => {
        if (session.id === id) events.changed(session);
      },
      progress: (of, progress) => {
        if (of === id) events.progress(progress);
      },
      issue: (of, issue) => {
        if (of === id) events.issue(issue);
      },
    });
    return { ...detail, stop };
  }

  run(name: string, requestedBy: string): RunAnswer {
    return this.#request("A run", name, requestedBy);
  }

  restore({ policy, ...what }: RestoreRequest, requestedBy: string): RunAnswer {
    const task = { kind: "restore", origin: "machine", ...what } as const;
    return this.#request("A restore", policy, requestedBy, task);
  }

  check({ policy, ...what }: CheckRequest, requestedBy: string): RunAnswer {
    return this.#request("A check", policy, requestedBy, { kind: "check", ...what });
  }

  stop(name: string, requestedBy: string): StopAnswer {
    const { orders, log } = this.#parts;
    const sessions = orders.stop(name, `stopped by ${requestedBy}`);
    for (const session of sessions)
      log.info(`A session was stopped by ${requestedBy}.`, { policy: name, session: session.id });
    return { sessionIds: sessions.map(({ id }) => id) };
  }

  pause({ policy, untilMs }: PauseRequest, requestedBy: string): PauseStatus {
    const { jobs, log, changes, orders } = this.#parts;
    if (policy !== undefined) orders.known(policy);
    this.#parts.onPause();
    const pause = jobs.pause({
      ...(policy !== undefined && { policy }),
      ...(untilMs !== undefined && { untilMs }),
      reason: `paused by ${requestedBy}`,
    });
    log.info(`Runs were paused by ${requestedBy}.`, policy === undefined ? {} : { policy });
    changes.tell();
    return pause;
  }

  resume(policy: string | undefined, requestedBy: string): ResumeAnswer {
    const { jobs, log, changes, orders } = this.#parts;
    if (policy !== undefined) orders.known(policy);
    const ended = jobs.resume(policy);
    log.info(`A pause was ended by ${requestedBy}.`, policy === undefined ? {} : { policy });
    changes.tell();
    return { ended };
  }

  policies(): PolicyList {
    const { policies } = this.#parts;
    return {
      policies: [...policies.inForce.values()].map(policyEntry),
      problems: policies.problems.map((problem) => ({
        origin: problem.file,
        text: problemText(problem),
      })),
    };
  }

  policy(name: string): PolicyDetail | undefined {
    const found = this.#parts.policies.inForce.get(name);
    if (found === undefined) return undefined;
    const effective = found.values.map(({ setting, value, origin }) => ({
      path: setting,
      value,
      origin,
    }));
    return { ...policyEntry(found), effective };
  }

  async reload(): Promise<ReloadAnswer> {
    await this.#parts.reload();
    const { policies, problems } = this.policies();
    return { policies: policies.map(({ name }) => name), problems };
  }

  async enroll({ token }: EnrolRequest, requestedBy: string): Promise<EnrolAnswer> {
    const { log, server } = this.#parts;
    log.info(`An enrolment was asked for by ${requestedBy}.`);
    return await server.enrol(token);
  }

  async sync(): Promise<void> {
    await this.#parts.server.sync();
  }

  async leave(requestedBy: string): Promise<void> {
    const { log, server } = this.#parts;
    log.info(`To leave the fleet was asked for by ${requestedBy}.`);
    await server.leave();
  }

  readLog(count: number, listener?: (line: LogLine) => void): LogReading {
    return this.#parts.log.read(count, listener);
  }

  async doctor(signal: AbortSignal): Promise<readonly DoctorCheck[]> {
    return await this.#parts.doctor(signal);
  }

  metrics(): string {
    return this.#parts.metrics();
  }

  #request(what: string, policy: string, requestedBy: string, task?: SessionTask): RunAnswer {
    const { orders, log } = this.#parts;
    const cause = { kind: "manual", text: `by hand (${requestedBy})` } as const;
    const { session, joined } = orders.request(policy, cause, task);
    log.info(`${what} was asked for by ${requestedBy}.`, { policy, session: session.id });
    return { sessionId: session.id, joined };
  }
}

function policyEntry({ name, policy, origin, appliedMs }: PolicyInForce): PolicyEntry {
  const { description, kind, enabled, source, destination, schedule } = policy;
  return {
    name,
    ...(description !== undefined && { description }),
    kind,
    enabled,
    origin,
    appliedMs,
    source: sourceText(source),
    destination: destination.repository,
    schedule: scheduleInWords(schedule),
  };
}

function sourceText({ paths, personalFiles }: PolicyInForce["policy"]["source"]): string {
  const named = [...paths, ...(personalFiles === undefined ? [] : ["personal files"])];
  const more = named.length - sourcesShownMax;
  const shown = named.slice(0, sourcesShownMax).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}
