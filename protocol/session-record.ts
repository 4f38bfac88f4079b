/**
 * One run of a policy, or a restore from its repository, or a check of that: what is known while it waits, while it
 * runs, and after it has ended. Kept in the state, shown by the local API, sent in reports. Moments are ms since 1970 by
 * the wall clock. Holds no secrets.
 */
import type { ObeyedStand } from "./control/repository-stand.ts";
import type { RequestSums } from "./request-sums.ts";
import type {
  BackupFigures,
  CheckFigures,
  OverwriteRule,
  RestoreFigures,
  RouteKind,
  RunFailure,
  RunIssue,
  RunProgress,
} from "./run-order.ts";

export const sessionKinds = ["backup", "restore", "check"] as const;
export type SessionKind = (typeof sessionKinds)[number];

/** What a session that is no backup is to do; a backup does what its policy says. */
export type SessionTask =
  | {
      readonly kind: "restore";
      /** Id of a snapshot, or `latest`. */
      readonly snapshot: string;
      /** Absolute, in the snapshot; empty: all. */
      readonly paths: readonly string[];
      /** Absolute, of the machine. */
      readonly target: string;
      readonly overwrite: OverwriteRule;
      readonly verify: boolean;
      /** Name of a repository that holds older backups of the policy; absent: that of now. */
      readonly from?: string;
      /** Somebody at the machine asked for it, or its server did. */
      readonly origin: "machine" | "server";
    }
  /** `data` as in CheckWork, `from` as in a restore. */
  | { readonly kind: "check"; readonly data: string; readonly from?: string };

/** In the order in which a session goes through them; each is entered at most once. */
export const sessionStates = ["queued", "preparing", "running", "ending", "finished"] as const;
export type SessionState = (typeof sessionStates)[number];

/**
 * `warning`: there is a new restore point, but not all went as asked. `canceled`: somebody or a rule ended it.
 * `interrupted`: the daemon or the machine went away.
 */
export type SessionOutcome = "success" | "warning" | "failure" | "canceled" | "interrupted";

/** Why a session was asked for. */
export interface RunCause {
  readonly kind: "manual" | "schedule" | "event" | "missed" | "retry" | "after-policy";
  /** For people: `daily at 22:00`, `lock of ann`. */
  readonly text: string;
  /** The moment of the schedule that it stands for. */
  readonly slotMs?: number;
}

/** Who ended a session before it was done. */
export interface EndRequest {
  /**
   * `window`: the backup window closed. `limits`: battery, network. `policy`: it was removed. `repository`: it is in
   * maintenance or sealed.
   */
  readonly by: "user" | "window" | "limits" | "policy" | "repository" | "shutdown";
  /** For people. */
  readonly text: string;
}

export interface ScriptResult {
  readonly name: "preJob" | "postJob";
  readonly outcome: "done" | "failed" | "timed-out" | "not-started" | "canceled";
  /** Absent if it was killed or could not be started. */
  readonly exitCode?: number;
  readonly durationMs: number;
  /** The end of what it printed, both streams, bounded. */
  readonly output: string;
}

/** The process that does the work, so that it is known again after a restart of the daemon. */
export interface EngineProcess {
  readonly processId: number;
  /** What no other process of this id has had; empty if the system does not tell. */
  readonly start: string;
}

export interface SessionRecord {
  /** 16 hex digits. */
  readonly id: string;
  readonly policy: string;
  readonly kind: SessionKind;
  /** Of what is no backup. */
  readonly task?: SessionTask;
  readonly cause: RunCause;
  /** 1 for the first run, then one more for each retry. */
  readonly attempt: number;
  /** Higher first. */
  readonly priority: number;
  /** Where it goes, without secrets. Sessions of equal text run one after the other. */
  readonly repository: string;
  readonly state: SessionState;
  readonly queuedMs: number;
  /** When it left the queue. */
  readonly startedMs?: number;
  readonly finishedMs?: number;
  /** Name of the machine's start during which it left the queue. */
  readonly boot?: string;
  readonly engine?: EngineProcess;
  /** By which it reached its repository; absent until then. */
  readonly route?: RouteKind;
  /** Address that it reached, without secrets. */
  readonly location?: string;
  /** What the policy's session before had reached, if that was another address. */
  readonly locationBefore?: string;
  /** The route is not the first: that one was out of reach. */
  readonly isDetour?: true;
  /** Whether its repository takes part, as it found out; absent if nothing was ever decided. */
  readonly stand?: ObeyedStand;
  /** Of the server's destination that it goes by. */
  readonly destinationEpoch?: number;
  /** Set from the state `ending` on, as is all below that applies. */
  readonly outcome?: SessionOutcome;
  /** As the command line would have ended. */
  readonly exitCode?: number;
  readonly failure?: SessionFailure;
  readonly endedBy?: EndRequest;
  /** Of a backup that left a restore point. */
  readonly figures?: BackupFigures;
  readonly restored?: RestoreFigures;
  readonly checked?: CheckFigures;
  /** What it asked of a storage that is reached by requests, whatever became of it. */
  readonly traffic?: RequestSums;
  /** All that were counted, kept or not. */
  readonly issues: number;
  readonly scripts: readonly ScriptResult[];
}

export interface SessionFailure extends RunFailure {
  /** The end of what the engine said on its standard error, redacted and bounded. */
  readonly lastWords?: string;
}

/** A session with everything that it complained about, the first ones if there were very many. */
export interface SessionDetail {
  readonly session: SessionRecord;
  readonly issues: readonly RunIssue[];
}

/** Which sessions to list, newest first; what is absent does not matter. */
export interface SessionQuery {
  readonly policy?: string;
  readonly kinds?: readonly SessionKind[];
  readonly states?: readonly SessionState[];
  readonly outcomes?: readonly SessionOutcome[];
  /** Only what was queued before the session of this id: for the next page. */
  readonly beforeId?: string;
  /** 1 to 1000; 100 if absent. */
  readonly limit?: number;
}

/** Something that keeps a queued session from starting. */
export interface Hold {
  /** `paused`, `policy-busy`, `repository-busy`, `sessions-at-once`, or a code of whoever holds it: `battery`, `network`, … */
  readonly code: string;
  /** For people. */
  readonly text: string;
  /** When it ends by itself, if that is known. */
  readonly untilMs?: number;
}

export interface QueuedSession {
  readonly session: SessionRecord;
  /** Absent if it is about to start. */
  readonly hold?: Hold;
}

export interface RunningSession {
  readonly session: SessionRecord;
  /** Absent until the engine has told. */
  readonly progress?: RunProgress;
  /** By the rate of the last minute; absent while unknown. */
  readonly remainingMs?: number;
  /** Set once it was asked to end. */
  readonly endRequest?: EndRequest;
}

/** No run but those asked for by hand starts while it lasts. */
export interface Pause {
  readonly sinceMs: number;
  /** Absent: until resumed. */
  readonly untilMs?: number;
  /** For people. */
  readonly reason: string;
}
