/**
 * Who changed what, append-only: each entry holds the hash of the one before, made with a key of the server, so that
 * whoever can write to the database alone can neither alter an entry nor take one out unnoticed.
 */
import { createHmac } from "node:crypto";
import { type Selectable, sql } from "kysely";
import type { Dialect } from "../database/migrations.ts";
import type { Tables } from "../database/tables.ts";
import type { Audit, AuditEntry, Queries, Vault } from "./server-ground.ts";

type Row = Selectable<Tables["audit"]>;

export interface AuditVerdict {
  readonly entries: number;
  /** Sequence of the first entry that is missing or not as it was written; undefined: all are as they were. */
  readonly brokenAt: number | undefined;
}

export interface AuditParts {
  readonly dialect: Dialect;
  readonly vault: Vault;
  readonly now: () => number;
}

const firstHash = "0".repeat(64);
/** Any number that no other program locks in our database. */
const auditLock = 7_203_551_002;
const rowsAtOnce = 1000;

export class AuditLog implements Audit {
  readonly #parts: AuditParts;
  readonly #key: Uint8Array;

  constructor(parts: AuditParts) {
    this.#parts = parts;
    this.#key = parts.vault.derive("audit");
  }

  async record(queries: Queries, entry: AuditEntry): Promise<void> {
    if (queries.isTransaction) await this.#append(queries, entry);
    else
      await queries.transaction().execute(async (transaction) => {
        await this.#append(transaction, entry);
      });
  }

  /** Reads the whole log and compares every hash. */
  async verify(queries: Queries): Promise<AuditVerdict> {
    let previous = { sequence: 0, hash: firstHash };
    for (;;) {
      const rows = await queries
        .selectFrom("audit")
        .selectAll()
        .where("sequence", ">", previous.sequence)
        .orderBy("sequence")
        .limit(rowsAtOnce)
        .execute();
      for (const row of rows) {
        const sequence = previous.sequence + 1;
        const isWhole =
          row.sequence === sequence &&
          row.previous_hash === previous.hash &&
          row.hash === this.#hash(row);
        if (!isWhole) return { entries: previous.sequence, brokenAt: sequence };
        previous = row;
      }
      if (rows.length < rowsAtOnce) return { entries: previous.sequence, brokenAt: undefined };
    }
  }

  async #append(transaction: Queries, entry: AuditEntry): Promise<void> {
    // Until this transaction ends the next entry waits; SQLite has one transaction at a time anyway.
    if (this.#parts.dialect === "postgresql")
      await sql`SELECT pg_advisory_xact_lock(${sql.lit(auditLock)})`.execute(transaction);
    const last = await transaction
      .selectFrom("audit")
      .select(["sequence", "hash"])
      .orderBy("sequence", "desc")
      .limit(1)
      .executeTakeFirst();
    const row: Omit<Row, "hash"> = {
      sequence: (last?.sequence ?? 0) + 1,
      time_ms: this.#parts.now(),
      tenant_id: entry.tenantId,
      actor: entry.actor,
      action: entry.action,
      target: entry.target,
      details: JSON.stringify(entry.details ?? {}),
      previous_hash: last?.hash ?? firstHash,
    };
    await transaction
      .insertInto("audit")
      .values({ ...row, hash: this.#hash(row) })
      .execute();
  }

  #hash(row: Omit<Row, "hash">): string {
    const said = [
      row.previous_hash,
      row.sequence,
      row.time_ms,
      row.tenant_id,
      row.actor,
      row.action,
      row.target,
      row.details,
    ];
    return createHmac("sha256", this.#key).update(JSON.stringify(said)).digest("hex");
  }
}
