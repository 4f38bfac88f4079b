/** Puts the state together. */
import type { BackstayError } from "../../protocol/backstay-error.ts";
import { BundleTable } from "./bundle-table.ts";
import { CommandTable } from "./command-table.ts";
import { ConditionTable } from "./condition-table.ts";
import { type Connect, connect } from "./connection.ts";
import { FactTable } from "./fact-table.ts";
import { OutboxTable } from "./outbox-table.ts";
import { PolicyTable } from "./policy-table.ts";
import { ReportTable } from "./report-table.ts";
import { ScheduleMemoryTable } from "./schedule-memory-table.ts";
import { SessionTable } from "./session-table.ts";
import type { State } from "./state.ts";
import { StateDatabase } from "./state-database.ts";

export interface StateOptions {
  /** The folder of `state.db`; made if it is not there. */
  readonly folder: string;
  /** Wall clock, ms. */
  readonly nowMs: () => number;
  /**
   * Told of each trouble with the disk, possibly before `openState` returns. STATE_DAMAGED and STATE_NEWER at
   * opening: what was there is set aside as `keptAs`, and state begins empty on the disk. STATE_FULL,
   * STATE_READ_ONLY, STATE_BROKEN, STATE_BUSY, and STATE_DAMAGED later on: state goes on in memory with all that
   * could be read, until `returnToDisk`.
   */
  readonly onTrouble: (trouble: BackstayError) => void;
  /** Opens databases; better-sqlite3 if absent. */
  readonly connect?: Connect;
}

/** Opens the state. Throws for mistakes of ours only: whatever the disk does, there is a state to work with. */
export function openState(options: StateOptions): State {
  return new DatabaseState(new StateDatabase({ connect, ...options }));
}

class DatabaseState implements State {
  readonly sessions: SessionTable;
  readonly scheduleMemory: ScheduleMemoryTable;
  readonly policies: PolicyTable;
  readonly conditions: ConditionTable;
  readonly outbox: OutboxTable;
  readonly facts: FactTable;
  readonly commands: CommandTable;
  readonly reports: ReportTable;
  readonly bundles: BundleTable;
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
    this.sessions = new SessionTable(database);
    this.scheduleMemory = new ScheduleMemoryTable(database);
    this.policies = new PolicyTable(database);
    this.conditions = new ConditionTable(database);
    this.outbox = new OutboxTable(database);
    this.facts = new FactTable(database);
    this.commands = new CommandTable(database);
    this.reports = new ReportTable(database);
    this.bundles = new BundleTable(database);
  }

  get keptIn(): "disk" | "memory" {
    return this.#database.keptIn;
  }

  returnToDisk(): boolean {
    return this.#database.returnToDisk();
  }

  prune(nowMs: number): void {
    this.sessions.prune(nowMs);
    this.outbox.prune(nowMs);
    this.commands.prune(nowMs);
    this.reports.prune(nowMs);
  }

  close(): void {
    this.#database.close();
  }
}
