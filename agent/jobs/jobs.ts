/** What the daemon asks of its jobs: to run policies one after the other, and to tell about sessions. */
import type { RunIssue, RunOrder, RunProgress } from "../../protocol/run-order.ts";
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
  SessionTask,
} from "../../protocol/session-record.ts";

export interface RunRequest {
  readonly policy: string;
  readonly cause: RunCause;
  readonly priority: number;
  /** Where it goes, without secrets; sessions of equal text run one after the other. */
  readonly repository: string;
  /** 1 if absent. */
  readonly attempt?: number;
  /** Absent: a backup. */
  readonly task?: SessionTask;
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

/** What runs around the engine of a policy. `postJob` runs whatever happened before it. */
export interface JobScripts {
  readonly preJob?: JobScript;
  readonly postJob?: JobScript;
}

/** All that an engine needs, made when the session's turn has come. */
export interface PreparedRun {
  readonly order: Omit<RunOrder, "version" | "sessionId" | "reportFile">;
  /** The most resident memory that the engine may take. */
  readonly memoryLimitBytes?: number;
  readonly durationLimitMs: number;
  /** Of the server's destination that the routes are from. */
  readonly destinationEpoch?: number;
}

/** No run of that policy, or of any if none is named, starts while it lasts, but those asked for by hand. */
export interface PolicyPause extends Pause {
  readonly policy?: string;
}

export interface Jobs {
  /**
   * Queues a session. A backup joins the policy's one that waits or works already; one that is ending is not joined. A
   * run by hand makes a queued session one by hand. Throws QUEUE_FULL, SHUTTING_DOWN.
   */
  request(run: RunRequest): RunTicket;
  /** Asks a session to end in order, and kills its engine if that takes too long. False if it is not there or ended. */
  cancel(sessionId: string, request: EndRequest): boolean;
  /** Replaces the pause of the same policy. Those that run go on. */
  pause(pause: {
    readonly policy?: string;
    readonly untilMs?: number;
    readonly reason: string;
  }): PolicyPause;
  /** Ends the pause of a policy, or all of them; the number that ended. */
  resume(policy?: string): number;
  pauses(): readonly PolicyPause[];
  /** Looks again at what holds the queued sessions. To be called when a rule's answer may have changed. */
  reconsider(): void;

  /** In the order in which they will start. */
  queued(): readonly QueuedSession[];
  running(): readonly RunningSession[];
  /** Newest first. */
  sessions(query?: SessionQuery): readonly SessionRecord[];
  /** Undefined if there is none, or no more. */
  session(id: string): SessionDetail | undefined;
  /** The newest session of a policy that left a complete restore point. */
  lastGood(policy: string): SessionRecord | undefined;
  /** How many have failed since then. */
  failuresSinceGood(policy: string): number;
  /** Resolves when the session has ended. Rejects with SESSION_NOT_FOUND or the signal's reason. */
  finished(sessionId: string, signal: AbortSignal): Promise<SessionRecord>;
  /** Tells what happens from now on, until the returned function is called. */
  subscribe(listener: JobsListener): () => void;

  /** Starts nothing more and ends what runs in order, within so many ms; queued sessions wait for the next start. */
  stop(graceMs: number): Promise<void>;
}

/** Told in the order in which things happen. May not throw. */
export interface JobsListener {
  /** A session was queued or has changed; the journal has it. */
  changed?(session: SessionRecord): void;
  progress?(sessionId: string, progress: RunProgress): void;
  issue?(sessionId: string, issue: RunIssue): void;
}

/** Says what keeps a session from starting now, by rules that jobs know nothing of. */
export type HoldRule = (session: SessionRecord) => Hold | undefined;
