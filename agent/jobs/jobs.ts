/** What the daemon asks of its jobs: to run policies one after the other, and to tell about sessions. */
import type { RunOrder } from "../../protocol/run-order.ts";
import type {
  EndRequest,
  Hold,
  Pause,
  QueuedSession,
  RunCause,
  RunningSession,
  SessionDetail,
  SessionQuery,
  SessionRecord,
} from "../../protocol/session-record.ts";

export interface RunRequest {
  readonly policy: string;
  readonly cause: RunCause;
  readonly priority: number;
  /** Where it goes, without secrets; sessions of equal text run one after the other. */
  readonly repository: string;
  /** 1 if absent. */
  readonly attempt?: number;
}

/** The answer to a run request. */
export interface RunTicket {
  readonly session: SessionRecord;
  /** True if the policy had a session already, which now stands for this request too. */
  readonly joined: boolean;
}

/** A program that runs around the engine. */
export interface JobScript {
  /** Absolute path of the program, then its arguments. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
  /** Its failure is the session's; otherwise it is a warning. */
  readonly required: boolean;
}

/** All that a session needs to run, made when its turn has come. */
export interface PreparedRun {
  readonly order: Omit<RunOrder, "version" | "sessionId" | "reportFile">;
  readonly preJob?: JobScript;
  readonly postJob?: JobScript;
  /** The most resident memory that the engine may take. */
  readonly memoryLimitBytes?: number;
  readonly durationLimitMs: number;
}

export interface Jobs {
  /**
   * Queues a run, or joins the session that the policy has already. A run by hand makes a queued session one by
   * hand, which no hold keeps back. Throws QUEUE_FULL, SHUTTING_DOWN.
   */
  request(run: RunRequest): RunTicket;
  /** Asks a session to end in order, and kills its engine if that takes too long. False if it is not there or ended. */
  cancel(sessionId: string, request: EndRequest): boolean;
  /** No run but those by hand starts from now on; those that run go on. */
  pause(pause: { readonly untilMs?: number; readonly reason: string }): Pause;
  resume(): void;
  pauseState(): Pause | undefined;
  /** Looks again at what holds the queued sessions. To be called when a rule's answer may have changed. */
  reconsider(): void;

  /** In the order in which they will start. */
  queued(): readonly QueuedSession[];
  running(): readonly RunningSession[];
  /** Newest first. */
  sessions(query?: SessionQuery): readonly SessionRecord[];
  session(id: string): SessionDetail | undefined;
  /** The newest session of a policy that left a complete restore point. */
  lastGood(policy: string): SessionRecord | undefined;
  /** Resolves when the session has ended. Rejects with SESSION_NOT_FOUND or the signal's reason. */
  finished(sessionId: string, signal: AbortSignal): Promise<SessionRecord>;

  /** Starts nothing more and ends what runs in order, within so many ms; queued sessions wait for the next start. */
  stop(graceMs: number): Promise<void>;
}

/** Told after each change is in the journal. */
export type SessionListener = (session: SessionRecord) => void;

/** Says what keeps a session from starting now, by rules that jobs know nothing of. */
export type HoldRule = (session: SessionRecord) => Hold | undefined;
