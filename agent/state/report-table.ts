/** Reports for the server: each stays until the server has it, and a while longer in case the server forgets. */
import type { Report } from "../../protocol/control/reports.ts";
import type { Row } from "./connection.ts";
import type { Rows, Table } from "./rows.ts";
import type { LostReports, ReportStore } from "./state.ts";
import type { StateDatabase } from "./state-database.ts";

const reports: Table = { name: "reports", key: ["id"] };
const facts: Table = { name: "facts", key: ["name"] };
/** Sessions of every hour in half a year; and what that takes if each has much to complain about. */
const waitingMax = 5000;
const waitingBytesMax = 32 * 1024 * 1024;
/** More than there are sessions in the state: what is made of them is never made twice. */
const deliveredMax = 4000;
/** Of what was delivered, the contents: servers are set back by no more than that. */
const recall = { ms: 32 * 86_400_000, bytes: 8 * 1024 * 1024 };
const lostFact = "reports-lost";
const heededFact = "reports-heeded";

export class ReportTable implements ReportStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  add(report: Report): boolean {
    return this.#database.write((rows) => {
      const isNew = insert(rows, report);
      if (isNew) dropOldest(rows);
      return isNew;
    });
  }

  next(limit: number, mostBytes: number): readonly Report[] {
    return this.#database.read((rows) => {
      // The sizes first: SQLite knows them without reading what may be much.
      const sizes = rows.counts(
        "SELECT id, octet_length(body) FROM reports WHERE delivered_ms IS NULL ORDER BY sequence LIMIT ?",
        limit,
      );
      let bytes = 0;
      const taken: Report[] = [];
      for (const { name, count } of sizes) {
        bytes += count;
        if (taken.length > 0 && bytes > mostBytes) break;
        const row = rows.first("SELECT * FROM reports WHERE id = ?", name);
        taken.push(JSON.parse(String(row?.["body"])) as Report);
      }
      return taken;
    });
  }

  delivered(ids: readonly string[], atMs: number): void {
    this.#database.write((rows) => {
      for (const id of ids) {
        const row = rows.first("SELECT * FROM reports WHERE id = ?", id);
        if (row !== undefined) change(rows, row, { delivered_ms: Math.round(atMs) });
      }
    });
  }

  waiting(): number {
    return Number(
      this.#database.read((rows) =>
        rows.value("SELECT count(*) FROM reports WHERE delivered_ms IS NULL"),
      ),
    );
  }

  lost(): LostReports | undefined {
    return this.#database.read((rows) => factOf(rows, lostFact) as LostReports | undefined);
  }

  confess(reportOf: (lost: LostReports) => Report): void {
    this.#database.write((rows) => {
      const lost = factOf(rows, lostFact) as LostReports | undefined;
      if (lost === undefined) return;
      rows.remove("DELETE FROM facts WHERE name = ?", lostFact);
      insert(rows, reportOf(lost));
    });
  }

  heededMs(): number {
    return Number(this.#database.read((rows) => factOf(rows, heededFact)) ?? 0);
  }

  recall(sinceMs: number, heededMs: number): void {
    this.#database.write((rows) => {
      const kept = "SELECT * FROM reports WHERE delivered_ms >= ? AND body IS NOT NULL";
      for (const row of rows.all(kept, sinceMs)) change(rows, row, { delivered_ms: null });
      rows.put(facts, { name: heededFact, value: JSON.stringify(heededMs) });
    });
  }

  clear(): void {
    this.#database.write((rows) => {
      rows.remove("DELETE FROM reports");
      rows.remove("DELETE FROM facts WHERE name IN (?, ?)", lostFact, heededFact);
    });
  }

  /** Forgets the contents of what was delivered long ago, and then that it was. */
  prune(nowMs: number): void {
    this.#database.write((rows) => {
      const kept = rows.counts(
        "SELECT id, octet_length(body) FROM reports WHERE delivered_ms IS NOT NULL AND body IS NOT NULL ORDER BY sequence DESC",
      );
      let bytes = 0;
      for (const { name, count } of kept) {
        bytes += count;
        const row = rows.first("SELECT * FROM reports WHERE id = ?", name);
        if (row === undefined) continue;
        const isOld = Math.abs(nowMs - Number(row["delivered_ms"])) > recall.ms;
        if (isOld || bytes > recall.bytes) change(rows, row, { body: null });
      }
      rows.remove(
        `DELETE FROM reports WHERE delivered_ms IS NOT NULL AND id NOT IN (
           SELECT id FROM reports WHERE delivered_ms IS NOT NULL ORDER BY sequence DESC LIMIT ?)`,
        deliveredMax,
      );
    });
  }
}

/** False if its id is known. */
function insert(rows: Rows, report: Report): boolean {
  if (rows.value("SELECT 1 FROM reports WHERE id = ?", report.id) !== null) return false;
  rows.put(reports, {
    id: report.id,
    sequence: Number(rows.value("SELECT max(sequence) FROM reports")) + 1,
    kind: report.kind,
    body: JSON.stringify(report),
    created_ms: Math.round(report.timeMs),
    delivered_ms: null,
  });
  return true;
}

function change(rows: Rows, row: Row, columns: Row): void {
  const { checksum: _, ...before } = row;
  rows.put(reports, { ...before, ...columns });
}

function dropOldest(rows: Rows): void {
  const waiting = "FROM reports WHERE delivered_ms IS NULL";
  for (;;) {
    const count = Number(rows.value(`SELECT count(*) ${waiting}`));
    const bytes = Number(rows.value(`SELECT sum(octet_length(body)) ${waiting}`));
    if (count <= 1 || (count <= waitingMax && bytes <= waitingBytesMax)) return;
    const row = rows.first(`SELECT * ${waiting} ORDER BY kind = 'session', sequence LIMIT 1`);
    if (row === undefined) return;
    rows.remove("DELETE FROM reports WHERE id = ?", row["id"] ?? null);
    const lost = afterLoss(factOf(rows, lostFact) as LostReports | undefined, row);
    rows.put(facts, { name: lostFact, value: JSON.stringify(lost) });
  }
}

function afterLoss(before: LostReports | undefined, row: Row): LostReports {
  const timeMs = Number(row["created_ms"]);
  const { sessions, events, firstMs, lastMs } = before ?? {
    ...{ sessions: 0, events: 0 },
    ...{ firstMs: timeMs, lastMs: timeMs },
  };
  const isSession = row["kind"] === "session";
  return {
    sessions: sessions + (isSession ? 1 : 0),
    events: events + (isSession ? 0 : 1),
    firstMs: Math.min(firstMs, timeMs),
    lastMs: Math.max(lastMs, timeMs),
  };
}

function factOf(rows: Rows, name: string): unknown {
  const row = rows.first("SELECT * FROM facts WHERE name = ?", name);
  return row === undefined ? undefined : (JSON.parse(String(row["value"])) as unknown);
}
