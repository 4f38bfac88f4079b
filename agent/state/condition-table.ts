/** What somebody should know about this agent, kept so that a restart does not ask for attention again. */
import {
  type ConditionSeverity,
  conditionSeverities,
  type HealthCondition,
} from "../../protocol/health-condition.ts";
import type { Row } from "./connection.ts";
import type { Table } from "./rows.ts";
import type { ConditionStore } from "./state.ts";
import type { StateDatabase } from "./state-database.ts";

const conditions: Table = { name: "conditions", key: ["code", "subject"] };
const conditionsMax = 500;

export class ConditionTable implements ConditionStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  put(condition: HealthCondition): void {
    this.#database.write((rows) => {
      rows.put(conditions, {
        code: condition.code,
        subject: condition.subject,
        severity: condition.severity,
        since_ms: condition.sinceMs,
        acknowledged_ms: condition.acknowledgedMs ?? null,
        facts: JSON.stringify(condition.facts),
      });
      rows.remove(
        `DELETE FROM conditions WHERE rowid NOT IN
           (SELECT rowid FROM conditions ORDER BY since_ms DESC, rowid DESC LIMIT ?)`,
        conditionsMax,
      );
    });
  }

  remove(code: string, subject: string): boolean {
    const removed = this.#database.write((rows) =>
      rows.remove("DELETE FROM conditions WHERE code = ? AND subject = ?", code, subject),
    );
    return removed > 0;
  }

  all(): readonly HealthCondition[] {
    return this.#database
      .read((rows) => rows.all("SELECT * FROM conditions ORDER BY since_ms, code, subject"))
      .map(conditionOf);
  }
}

function conditionOf(row: Row): HealthCondition {
  const acknowledged = row["acknowledged_ms"];
  return {
    code: String(row["code"]),
    subject: String(row["subject"]),
    severity: severityOf(row["severity"]),
    sinceMs: Number(row["since_ms"]),
    ...(typeof acknowledged === "number" ? { acknowledgedMs: acknowledged } : {}),
    facts: JSON.parse(String(row["facts"])) as HealthCondition["facts"],
  };
}

function severityOf(text: unknown): ConditionSeverity {
  return conditionSeverities.find((known) => known === text) ?? "error";
}
