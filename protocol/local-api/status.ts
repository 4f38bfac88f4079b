/** The status of an agent: what `GET …/status` answers, and each line of `GET …/watch`. Times are ms since 1970. */
import type { EntitlementStand } from "../control/entitlement-stand.ts";
import type { ObeyedStand } from "../control/repository-stand.ts";
import type { RouteKind } from "../run-order.ts";
import type { Pause, QueuedSession, RunningSession, SessionRecord } from "../session-record.ts";
import type { Health, HealthReason } from "./health.ts";

/** What the daemon knows; health and a reader's view of it are worked out from that. */
export interface StatusFacts {
  /** The daemon's clock when this was put together. */
  readonly timeMs: number;
  readonly agent: AgentStatus;
  /** In the order of their names. */
  readonly policies: readonly PolicyStatus[];
  readonly running: readonly RunningSession[];
  /** In the order in which they will start. */
  readonly waiting: readonly QueuedSession[];
  readonly pauses: readonly PauseStatus[];
  /** Everything that is wrong with the agent as such: its disk, its database, its policies. */
  readonly conditions: readonly HealthReason[];
}

export interface StatusReport extends Omit<StatusFacts, "conditions"> {
  /** Version of the local API. */
  readonly api: number;
  /** `limited` for users who may not control the daemon: without paths, addresses and texts that may hold some. */
  readonly view: "full" | "limited";
  readonly health: Health;
}

/** How it stands with the management server. */
export interface ServerStatus {
  /**
   * `enrolling`: asked for, and not admitted yet. `refused`: asked for, and the server said no. `damaged`: the identity
   * can't be read.
   */
  readonly state: "enrolling" | "refused" | "enrolled" | "damaged";
  readonly agentId?: string;
  readonly tenant?: string;
  /** Empty in the limited view. */
  readonly urls: readonly string[];
  readonly lastContactMs?: number;
  /** Why it can't be reached, or has not admitted the machine; absent if all is well. */
  readonly problem?: string;
  /** Of the bundle in force, and when the server made it. */
  readonly serial?: number;
  readonly issuedMs?: number;
  readonly licence?: EntitlementStand;
  /** Server's clock minus this machine's, ms; 0 if they agree, or nobody knows. */
  readonly clockOffsetMs: number;
  /** Reports that it does not have yet. */
  readonly reportsWaiting: number;
}

export interface AgentStatus {
  /** Of the program. */
  readonly version: string;
  readonly hostName: string;
  /** Where its policies come from. */
  readonly mode: "standalone" | "managed";
  /** Absent for a machine that has none. */
  readonly server?: ServerStatus;
  readonly processId: number;
  readonly startMs: number;
}

export interface PolicyStatus {
  readonly name: string;
  readonly kind: "workstation" | "server";
  readonly enabled: boolean;
  /** Older than this the last good backup should never be. */
  readonly maximumAgeMs: number;
  /** Since when the policy is there. */
  readonly appliedMs: number;
  /** The last session that left a restore point, with warnings or without. Its data is as old as its start. */
  readonly lastGood?: SessionRecord;
  /** The last session that ended, good or not. */
  readonly lastEnded?: SessionRecord;
  /** Sessions that failed since the last good one. */
  readonly failuresSinceGood: number;
  readonly next: NextRun;
  readonly destination: DestinationStatus;
}

/** When a policy runs next, and why then. */
export interface NextRun {
  /** Absent if no time can be named: it waits for an event, or will not run. */
  readonly atMs?: number;
  /** In words: `every day at 22:30`, `when a screen is locked`, `the policy is switched off`. */
  readonly reason: string;
}

/** Where a policy's data goes. */
export interface DestinationStatus {
  /** Address of the repository, without secrets; empty in the limited view. */
  readonly place: string;
  /** The way that is in use. */
  readonly route: RouteKind;
  /** Whether it takes part, by the newest that is known; absent: nothing was ever decided. */
  readonly stand?: ObeyedStand;
  /** As it was seen last; absent if nobody looked yet. */
  readonly reachable?: boolean;
}

export interface PauseStatus extends Pause {
  /** Absent: all policies. */
  readonly policy?: string;
}
