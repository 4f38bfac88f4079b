/** The agent's memory across restarts, as everybody who uses it sees it. Every call is synchronous and durable when it returns. */
import type { CommandDocument, CommandProgress } from "../../protocol/control/command.ts";
import type { Report } from "../../protocol/control/reports.ts";
import type { HealthCondition } from "../../protocol/health-condition.ts";
import type { RunIssue } from "../../protocol/run-order.ts";
import type { SessionQuery, SessionRecord } from "../../protocol/session-record.ts";

/** The tables, and where they are kept. */
export interface State {
  readonly sessions: SessionStore;
  readonly scheduleMemory: ScheduleMemoryStore;
  readonly policies: PolicyStore;
  readonly conditions: ConditionStore;
  readonly outbox: OutboxStore;
  readonly facts: FactStore;
  readonly commands: CommandStore;
  readonly reports: ReportStore;
  readonly bundles: BundleStore;
  /** `memory` while the disk does not take it: everything works, and is lost if the process ends. */
  readonly keptIn: "disk" | "memory";
  /** Tries to get from memory back to the disk; true if it is there. Cheap if it was there all the time. */
  returnToDisk(): boolean;
  /** Removes what is beyond the caps of count and age. To be called daily or so. */
  prune(nowMs: number): void;
  close(): void;
}

export interface SessionStore {
  /** Inserts or replaces. */
  put(session: SessionRecord): void;
  get(id: string): SessionRecord | undefined;
  /** Newest first. */
  list(query: SessionQuery): readonly SessionRecord[];
  /** All that have not finished, oldest first. */
  unfinished(): readonly SessionRecord[];
  /** The newest of a policy that left a complete restore point, whatever else went wrong. */
  lastGood(policy: string): SessionRecord | undefined;
  /** How many of a policy have failed since that one. */
  failuresSinceGood(policy: string): number;
  /** Keeps the first 1000 of a session. */
  addIssues(id: string, issues: readonly RunIssue[]): void;
  issues(id: string): readonly RunIssue[];
}

/** What the schedule remembers of a policy: JSON, whose meaning only the schedule knows. */
export interface ScheduleMemoryStore {
  get(policy: string): unknown;
  put(policy: string, memory: unknown): void;
  remove(policy: string): void;
}

/** The last known good text of a policy. */
export interface AppliedPolicy {
  readonly name: string;
  /** As it was given. */
  readonly document: string;
  /** SHA-256 of the document, hex; computed by the table. */
  readonly fingerprint: string;
  /** Where it came from: `file:/etc/…`, `command`, `server`. */
  readonly origin: string;
  readonly appliedMs: number;
}

export interface PolicyStore {
  put(policy: Omit<AppliedPolicy, "fingerprint">): AppliedPolicy;
  get(name: string): AppliedPolicy | undefined;
  /** By name. */
  all(): readonly AppliedPolicy[];
  remove(name: string): boolean;
}

export interface ConditionStore {
  /** Inserts or replaces by code and subject. */
  put(condition: HealthCondition): void;
  remove(code: string, subject: string): boolean;
  /** Oldest first. */
  all(): readonly HealthCondition[];
}

/** A message that must go out at least once. */
export interface OutboxEntry {
  readonly id: string;
  /** `mail`, `webhook`, `report` and so on. */
  readonly channel: string;
  /** JSON; what the channel makes its message of. No secrets. */
  readonly body: unknown;
  readonly createdMs: number;
  /** Not to be tried before. */
  readonly dueMs: number;
  readonly attempts: number;
  readonly lastError?: string;
}

export interface OutboxStore {
  /** The id. When 1000 wait, the oldest is dropped and counted. */
  add(entry: { channel: string; body: unknown; createdMs: number; dueMs: number }): string;
  /** Those whose time has come, oldest first. */
  due(nowMs: number, limit: number): readonly OutboxEntry[];
  /** When the next one is due; undefined if none waits. */
  nextDueMs(): number | undefined;
  /** It has arrived. */
  delivered(id: string): void;
  /** It has not; it is tried again at `dueMs`. */
  postponed(id: string, dueMs: number, error: string): void;
  waiting(): number;
  /** How many were dropped undelivered since the state was made. */
  dropped(): number;
}

/** Small values by name: the id of the machine's start, the clock as last seen. JSON. */
export interface FactStore {
  get(name: string): unknown;
  put(name: string, value: unknown): void;
  remove(name: string): void;
}

/** A command of the server and what became of it here. */
export interface StoredCommand {
  /** Verified. */
  readonly document: CommandDocument;
  /** The newest. */
  readonly progress: CommandProgress;
  /** The server has that progress. */
  readonly isTold: boolean;
}

export interface CommandStore {
  /** Inserts or replaces by the id of the document. */
  put(command: StoredCommand): void;
  get(id: string): StoredCommand | undefined;
  /** Those that have come to no end yet, oldest first. */
  unfinished(): readonly StoredCommand[];
  /** Those of which the server does not have the newest progress, oldest first. */
  untold(): readonly StoredCommand[];
  /** Those whose newest progress is of then or later and was told, oldest first. */
  toldSince(sinceMs: number): readonly StoredCommand[];
}

/** What could not be kept for want of room. */
export interface LostReports {
  readonly sessions: number;
  readonly events: number;
  /** Of the oldest and the newest of them, ms since 1970. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/**
 * What the server is to hear of at least once. What it has is kept for a month, in case it forgets; and the ids of the
 * newest for longer, so that nothing is added twice.
 */
export interface ReportStore {
  /**
   * False if the id is known already, waiting or delivered. When more wait than there is room for, the oldest are
   * dropped and counted, events before sessions.
   */
  add(report: Report): boolean;
  /** The oldest that wait: no more than that many, and no more bytes of JSON, but at least one. */
  next(limit: number, bytesMax: number): readonly Report[];
  /** The server has them. `atMs`: by its clock. */
  delivered(ids: readonly string[], atMs: number): void;
  waiting(): number;
  /** Of what was dropped undelivered since `confess`; undefined if nothing was. */
  lost(): LostReports | undefined;
  /**
   * Adds a report of the losses, if there are any, and counts anew from zero: both or neither. For this one there is
   * always room.
   */
  confess(reportOf: (lost: LostReports) => Report): void;
  /** Until when gaps of the server's memory were heeded, by its clock; 0: none was. */
  heededMs(): number;
  /** Those that were delivered at `sinceMs` or later wait again, as far as they are kept; `heededMs` is noted with it. */
  recall(sinceMs: number, heededMs: number): void;
  /** Forgets everything: what waits, what was delivered and what was lost. */
  clear(): void;
}

/** A bundle of the server as it came. */
export interface AcceptedBundle {
  readonly jws: string;
  /** JSON: below which bundles are older than it. */
  readonly floors: unknown;
  readonly acceptedMs: number;
}

/** The bundle that was accepted last, and the one before it. */
export interface BundleStore {
  /** It is the newest now, and what was the newest is the one before. */
  put(bundle: AcceptedBundle): void;
  /** Newest first, two at most. */
  all(): readonly AcceptedBundle[];
  clear(): void;
}
