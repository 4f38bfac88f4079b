/** Messages that must go out at least once: each stays until somebody says that it has arrived. */
import { randomUUID } from "node:crypto";
import type { Row } from "./connection.ts";
import type { Rows, Table } from "./rows.ts";
import type { OutboxEntry, OutboxStore } from "./state.ts";
import type { StateDatabase } from "./state-database.ts";

const outbox: Table = { name: "outbox", key: ["id"] };
const outboxLosses: Table = { name: "outbox_losses", key: ["channel"] };
const waitingMax = 1000;
const ageMsMax = 30 * 86_400_000;
const errorCharactersMax = 500;

export class OutboxTable implements OutboxStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  add(entry: { channel: string; body: unknown; createdMs: number; dueMs: number }): string {
    const id = randomUUID();
    this.#database.write((rows) => {
      rows.put(outbox, {
        id,
        channel: entry.channel,
        body: JSON.stringify(entry.body),
        created_ms: entry.createdMs,
        due_ms: entry.dueMs,
        attempts: 0,
        last_error: null,
      });
      drop(rows, "rowid NOT IN (SELECT rowid FROM outbox ORDER BY rowid DESC LIMIT ?)", waitingMax);
    });
    return id;
  }

  due(nowMs: number, limit: number): readonly OutboxEntry[] {
    const found = this.#database.read((rows) =>
      rows.all(
        "SELECT * FROM outbox WHERE due_ms <= ? ORDER BY due_ms, rowid LIMIT ?",
        nowMs,
        limit,
      ),
    );
    return found.map(entryOf);
  }

  nextDueMs(): number | undefined {
    const due = this.#database.read((rows) => rows.value("SELECT min(due_ms) FROM outbox"));
    return typeof due === "number" ? due : undefined;
  }

  delivered(id: string): void {
    this.#database.write((rows) => rows.remove("DELETE FROM outbox WHERE id = ?", id));
  }

  postponed(id: string, dueMs: number, error: string): void {
    this.#database.write((rows) => {
      const row = rows.first("SELECT * FROM outbox WHERE id = ?", id);
      if (row === undefined) return;
      const { checksum: _, ...columns } = row;
      rows.put(outbox, {
        ...columns,
        due_ms: dueMs,
        attempts: Number(row["attempts"]) + 1,
        last_error: error.slice(0, errorCharactersMax),
      });
    });
  }

  waiting(): number {
    return Number(this.#database.read((rows) => rows.value("SELECT count(*) FROM outbox")));
  }

  dropped(): number {
    return Number(
      this.#database.read((rows) => rows.value("SELECT sum(count) FROM outbox_losses")),
    );
  }

  /** Drops what was tried for a month in vain. */
  prune(nowMs: number): void {
    this.#database.write((rows) => drop(rows, "created_ms < ? AND attempts > 0", nowMs - ageMsMax));
  }
}

/** Drops the rows that a condition names, counted by channel. */
function drop(rows: Rows, condition: string, value: number): void {
  const lost = rows.counts(
    `SELECT channel, count(*) FROM outbox WHERE ${condition} GROUP BY channel`,
    value,
  );
  for (const { name: channel, count } of lost) {
    const before = rows.value("SELECT count FROM outbox_losses WHERE channel = ?", channel);
    rows.put(outboxLosses, { channel, count: Number(before) + count });
  }
  if (lost.length > 0) rows.remove(`DELETE FROM outbox WHERE ${condition}`, value);
}

function entryOf(row: Row): OutboxEntry {
  const lastError = row["last_error"];
  return {
    id: String(row["id"]),
    channel: String(row["channel"]),
    body: JSON.parse(String(row["body"])) as unknown,
    createdMs: Number(row["created_ms"]),
    dueMs: Number(row["due_ms"]),
    attempts: Number(row["attempts"]),
    ...(typeof lastError === "string" ? { lastError } : {}),
  };
}
