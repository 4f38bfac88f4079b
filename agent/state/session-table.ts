/** Sessions and what they complained about: the journal of those that run, and the history of those that have ended. */
import type { RunIssue } from "../../protocol/run-order.ts";
import type { SessionQuery, SessionRecord } from "../../protocol/session-record.ts";
import type { Row, Value } from "./connection.ts";
import type { Rows, Table } from "./rows.ts";
import type { SessionStore } from "./state.ts";
import type { StateDatabase } from "./state-database.ts";

const sessions: Table = { name: "sessions", key: ["id"] };
const sessionIssues: Table = { name: "session_issues", key: ["session", "first"] };

const listedMax = 1000;
const issuesOfSessionMax = 1000;
/** What is kept of all that have ended. */
const caps = { sessions: 2000, ageMs: 400 * 86_400_000, issues: 20_000 };
/** So many stay, however old they are: a clock that jumped must not erase everything. */
const sessionsMin = 100;
/** Beside each policy's last good one, which stays for ever. */
const isLastGood = `id IN (
  SELECT id FROM sessions AS good WHERE is_good = 1
  AND sequence = (SELECT max(sequence) FROM sessions WHERE policy = good.policy AND is_good = 1))`;

export class SessionTable implements SessionStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  put(session: SessionRecord): void {
    this.#database.write((rows) => {
      const known = rows.value("SELECT sequence FROM sessions WHERE id = ?", session.id);
      const next = Number(rows.value("SELECT max(sequence) FROM sessions")) + 1;
      rows.put(sessions, {
        id: session.id,
        sequence: known ?? next,
        policy: session.policy,
        state: session.state,
        outcome: session.outcome ?? null,
        is_good: isGood(session) ? 1 : 0,
        finished_ms: session.finishedMs ?? null,
        record: JSON.stringify(session),
      });
    });
  }

  get(id: string): SessionRecord | undefined {
    return this.#one("SELECT * FROM sessions WHERE id = ?", id);
  }

  list(query: SessionQuery): readonly SessionRecord[] {
    const conditions: string[] = [];
    const values: Value[] = [];
    const oneOf = (column: string, wanted: readonly string[]): void => {
      conditions.push(`${column} IN (${wanted.map(() => "?").join(", ")})`);
      values.push(...wanted);
    };
    if (query.policy !== undefined) oneOf("policy", [query.policy]);
    if (query.kinds !== undefined) oneOf("json_extract(record, '$.kind')", query.kinds);
    if (query.states !== undefined) oneOf("state", query.states);
    if (query.outcomes !== undefined) oneOf("outcome", query.outcomes);
    if (query.beforeId !== undefined) {
      conditions.push("sequence < (SELECT sequence FROM sessions WHERE id = ?)");
      values.push(query.beforeId);
    }
    const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
    const limit = Math.min(Math.max(1, Math.floor(query.limit ?? 100)), listedMax);
    return this.#list(
      `SELECT * FROM sessions ${where} ORDER BY sequence DESC LIMIT ?`,
      ...values,
      limit,
    );
  }

  unfinished(): readonly SessionRecord[] {
    return this.#list("SELECT * FROM sessions WHERE state <> 'finished' ORDER BY sequence");
  }

  lastGood(policy: string): SessionRecord | undefined {
    return this.#one(
      "SELECT * FROM sessions WHERE policy = ? AND is_good = 1 ORDER BY sequence DESC LIMIT 1",
      policy,
    );
  }

  failuresSinceGood(policy: string): number {
    const count = this.#database.read((rows) =>
      rows.value(
        `SELECT count(*) FROM sessions WHERE policy = ? AND outcome = 'failure' AND state = 'finished'
         AND json_extract(record, '$.kind') = 'backup'
         AND sequence > coalesce(
           (SELECT max(sequence) FROM sessions WHERE policy = ? AND is_good = 1), -1)`,
        policy,
        policy,
      ),
    );
    return Number(count);
  }

  addIssues(id: string, issues: readonly RunIssue[]): void {
    this.#database.write((rows) => {
      if (rows.value("SELECT 1 FROM sessions WHERE id = ?", id) === null) return;
      const first = Number(
        rows.value("SELECT sum(count) FROM session_issues WHERE session = ?", id) ?? 0,
      );
      const kept = issues.slice(0, Math.max(0, issuesOfSessionMax - first));
      if (kept.length === 0) return;
      rows.put(sessionIssues, {
        session: id,
        first,
        count: kept.length,
        issues: JSON.stringify(kept),
      });
    });
  }

  issues(id: string): readonly RunIssue[] {
    return this.#database.read((rows) =>
      rows
        .all("SELECT * FROM session_issues WHERE session = ? ORDER BY first", id)
        .flatMap((row) => JSON.parse(String(row["issues"])) as RunIssue[]),
    );
  }

  /** Removes the oldest that have ended, by count and by age, and then issues of the oldest that are left. */
  prune(nowMs: number): void {
    this.#database.write((rows) => {
      const newest = "SELECT id FROM sessions ORDER BY sequence DESC LIMIT";
      rows.remove(
        `DELETE FROM sessions WHERE state = 'finished' AND NOT ${isLastGood} AND (
           id NOT IN (${newest} ?) OR (finished_ms < ? AND id NOT IN (${newest} ?)))`,
        caps.sessions,
        nowMs - caps.ageMs,
        sessionsMin,
      );
      pruneIssues(rows);
    });
  }

  #one(sql: string, ...values: readonly Value[]): SessionRecord | undefined {
    return this.#list(sql, ...values)[0];
  }

  #list(sql: string, ...values: readonly Value[]): SessionRecord[] {
    return this.#database.read((rows) => rows.all(sql, ...values).map((row) => sessionOf(row)));
  }
}

function pruneIssues(rows: Rows): void {
  const counts = rows.counts(
    `SELECT session, sum(count) AS count FROM session_issues JOIN sessions ON id = session
     GROUP BY session ORDER BY sequence DESC`,
  );
  let total = 0;
  for (const { name, count } of counts) {
    total += count;
    if (total > caps.issues) rows.remove("DELETE FROM session_issues WHERE session = ?", name);
  }
}

/** There is a new restore point, or nothing had changed since the last one; whatever scripts did after that. */
function isGood({ state, figures }: SessionRecord): boolean {
  return state === "finished" && figures !== undefined;
}

function sessionOf(row: Row): SessionRecord {
  return JSON.parse(String(row["record"])) as SessionRecord;
}
