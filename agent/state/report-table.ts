/** Reports for the server: each stays until the server has it; of what it has only the id is kept for a while. */
import type { Report } from "../../protocol/control/reports.ts";
import type { Rows, Table } from "./rows.ts";
import type { ReportStore } from "./state.ts";
import type { StateDatabase } from "./state-database.ts";

const reports: Table = { name: "reports", key: ["id"] };
const facts: Table = { name: "facts", key: ["name"] };
/** Sessions of every hour in half a year; and what that takes if each has much to complain about. */
const waitingMax = 5000;
const charactersMax = 32 * 1024 * 1024;
/** More than there are sessions in the state: what is made of them is never made twice. */
const deliveredMax = 4000;
const lostFact = "reports-lost";

export class ReportTable implements ReportStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  add(report: Report): boolean {
    return this.#database.write((rows) => insert(rows, report));
  }

  next(limit: number, mostCharacters: number): readonly Report[] {
    return this.#database.read((rows) => {
      const found = rows.all(
        "SELECT * FROM reports WHERE body IS NOT NULL ORDER BY sequence LIMIT ?",
        limit,
      );
      let characters = 0;
      const taken: Report[] = [];
      for (const row of found) {
        const body = String(row["body"]);
        characters += body.length;
        if (taken.length > 0 && characters > mostCharacters) break;
        taken.push(JSON.parse(body) as Report);
      }
      return taken;
    });
  }

  delivered(ids: readonly string[]): void {
    this.#database.write((rows) => {
      for (const id of ids) {
        const row = rows.first("SELECT * FROM reports WHERE id = ?", id);
        if (row === undefined) continue;
        const { checksum: _, ...columns } = row;
        rows.put(reports, { ...columns, body: null });
      }
    });
  }

  waiting(): number {
    return Number(
      this.#database.read((rows) =>
        rows.value("SELECT count(*) FROM reports WHERE body IS NOT NULL"),
      ),
    );
  }

  lost(): number {
    return this.#database.read(lostCount);
  }

  confess(reportOf: (lost: number) => Report): void {
    this.#database.write((rows) => {
      const lost = lostCount(rows);
      if (lost === 0) return;
      rows.remove("DELETE FROM facts WHERE name = ?", lostFact);
      insert(rows, reportOf(lost));
    });
  }

  /** Forgets the oldest of those that were delivered. */
  prune(): void {
    this.#database.write((rows) =>
      rows.remove(
        `DELETE FROM reports WHERE body IS NULL AND id NOT IN (
           SELECT id FROM reports WHERE body IS NULL ORDER BY sequence DESC LIMIT ?)`,
        deliveredMax,
      ),
    );
  }
}

function insert(rows: Rows, report: Report): boolean {
  if (rows.value("SELECT 1 FROM reports WHERE id = ?", report.id) !== null) return false;
  rows.put(reports, {
    id: report.id,
    sequence: Number(rows.value("SELECT max(sequence) FROM reports")) + 1,
    body: JSON.stringify(report),
    created_ms: Math.round(report.timeMs),
  });
  dropOldest(rows);
  return true;
}

function dropOldest(rows: Rows): void {
  const waiting = "FROM reports WHERE body IS NOT NULL";
  for (;;) {
    const count = Number(rows.value(`SELECT count(*) ${waiting}`));
    const characters = Number(rows.value(`SELECT sum(length(body)) ${waiting}`));
    if (count <= 1 || (count <= waitingMax && characters <= charactersMax)) return;
    rows.remove(`DELETE FROM reports WHERE sequence = (SELECT min(sequence) ${waiting})`);
    rows.put(facts, { name: lostFact, value: JSON.stringify(lostCount(rows) + 1) });
  }
}

function lostCount(rows: Rows): number {
  const row = rows.first("SELECT * FROM facts WHERE name = ?", lostFact);
  return row === undefined ? 0 : Number(JSON.parse(String(row["value"])));
}
