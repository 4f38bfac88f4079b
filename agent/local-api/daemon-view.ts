/**
 * What the local API needs from the daemon. The server adds everything that depends on who asks: rights, the limited
 * view, bounds, streams; so this side answers fully and never has to know of connections.
 *
 * Methods may throw BackstayErrors, which reach the caller with code and remedy. Anything else that is thrown is
 * answered as INTERNAL, told to the server's `onFailure`, and changes nothing for other requests.
 */
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
import type { PolicyDetail, PolicyList } from "../../protocol/local-api/policy-list.ts";
import type { PauseStatus, StatusFacts } from "../../protocol/local-api/status.ts";
import type { RunIssue, RunProgress } from "../../protocol/run-order.ts";
import type { SessionDetail, SessionQuery, SessionRecord } from "../../protocol/session-record.ts";

type Answer<T> = T | Promise<T>;

/** Ends a subscription; harmless if called twice. */
export type Unsubscribe = () => void;

export interface SessionEvents {
  /** After each change of the session's record. */
  changed(session: SessionRecord): void;
  progress(progress: RunProgress): void;
  issue(issue: RunIssue): void;
}

export interface FollowedSession extends SessionDetail {
  readonly stop: Unsubscribe;
}

export interface LogReading {
  readonly lines: readonly LogLine[];
  readonly stop: Unsubscribe;
}

export interface DaemonView {
  status(): Answer<StatusFacts>;
  /** `listener` is called whenever `status()` may answer something new, progress included; as often as it likes. */
  onStatusChange(listener: () => void): Unsubscribe;

  /** Newest first; those that wait or run are among them. */
  sessions(query: SessionQuery): Answer<readonly SessionRecord[]>;
  /** Undefined if there is none, or no more. */
  session(id: string): Answer<SessionDetail | undefined>;
  /**
   * A session as it is now, and what happens to it from then on, nothing missed and nothing twice; events may come
   * before this resolves. Undefined if there is no such session.
   */
  followSession(id: string, events: SessionEvents): Answer<FollowedSession | undefined>;

  /** `requestedBy` is for people: `root`, `user 1000`. POLICY_UNKNOWN, and what the queue refuses. */
  run(policy: string, requestedBy: string): Answer<RunAnswer>;
  /** From the policy's repository. POLICY_UNKNOWN, RESTORE_RESTRICTED, and what the queue refuses. */
  restore(request: RestoreRequest, requestedBy: string): Answer<RunAnswer>;
  /** The policy's repository. POLICY_UNKNOWN, and what the queue refuses. */
  check(request: CheckRequest, requestedBy: string): Answer<RunAnswer>;
  /** Ends the policy's sessions, and takes what waits out of the queue. POLICY_UNKNOWN. */
  stop(policy: string, requestedBy: string): Answer<StopAnswer>;
  /** Replaces an earlier pause of the same policy, or of all. POLICY_UNKNOWN. */
  pause(request: PauseRequest, requestedBy: string): Answer<PauseStatus>;
  /** Ends the pause of that policy, or every pause. POLICY_UNKNOWN. */
  resume(policy: string | undefined, requestedBy: string): Answer<ResumeAnswer>;

  policies(): Answer<PolicyList>;
  /** Undefined if there is none of that name. */
  policy(name: string): Answer<PolicyDetail | undefined>;
  /** Reads the policies again, as SIGHUP does. */
  reload(): Answer<ReloadAnswer>;

  /** ENROLLED_ALREADY, ENROLMENT_TOKEN_INVALID, AGENT_REFUSED, LINK_FAILED, LINK_UNTRUSTED, SECRET_PLACE. */
  enroll(request: EnrolRequest, requestedBy: string): Answer<EnrolAnswer>;
  /** Fetches the newest policies of the server now. NOT_ENROLLED, AGENT_REFUSED, LINK_FAILED, LINK_UNTRUSTED. */
  sync(): Answer<void>;
  /** NOT_ENROLLED, SECRET_PLACE. */
  leave(requestedBy: string): Answer<void>;

  /**
   * The last `count` lines, oldest first, fewer if there are no more; with a listener also those written from then
   * on, none missed and none twice. It may be called before this resolves.
   */
  readLog(count: number, listener?: (line: LogLine) => void): Answer<LogReading>;

  doctor(signal: AbortSignal): Answer<readonly DoctorCheck[]>;
  /** In Prometheus' text format. */
  metrics(): Answer<string>;
}
