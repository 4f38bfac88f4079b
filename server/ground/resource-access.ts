/**
 * How every room of the server is asked for its rows: by whom, for which tenant, and which part of a long list. Rows of
 * another tenant do not exist for who asks (RESOURCE_UNKNOWN), and a change names the version that it was made on
 * (RESOURCE_CHANGED if there is a newer one).
 */
import type { Selectable, SelectQueryBuilder } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Tables } from "../database/tables.ts";
import type { Queries } from "./server-ground.ts";

/** Id of the tenant whose rows may be seen; null: of every tenant. */
export type TenantScope = string | null;

/** A part of a list in the order of ids, which is the order in which things were made. */
export interface Page {
  /** Id of the last one that the asker has; null: from the beginning. */
  readonly after: string | null;
  /** Most rows, 1 to 1000. */
  readonly limit: number;
}

/** Tables whose rows belong to tenants. */
type TenantTable = {
  [Table in keyof Tables]: Selectable<Tables[Table]> extends { id: string; tenant_id: unknown }
    ? Table
    : never;
}[keyof Tables];

/** Values that columns must have; those that are undefined narrow nothing. */
type ColumnValues<Row> = { readonly [Column in keyof Row]?: Row[Column] | undefined };

/** The part of a table that is asked for: what the asker may see of it, with these values. */
export function tenantRows<Table extends TenantTable>(
  queries: Queries,
  table: Table,
  scope: TenantScope,
  page: Page,
  values: ColumnValues<Selectable<Tables[Table]>> = {},
): SelectQueryBuilder<Tables, Table, Selectable<Tables[Table]>> {
  // One table stands for all: the signature sees to it that the columns are there.
  let query = queries.selectFrom(table as "groups").selectAll();
  if (scope !== null) query = query.where("tenant_id", "=", scope);
  for (const [column, value] of Object.entries(values) as ["name", string | undefined][])
    if (value !== undefined) query = query.where(column, "=", value);
  if (page.after !== null) query = query.where("id", ">", page.after);
  return query.orderBy("id").limit(page.limit) as never;
}

/** The row, or RESOURCE_UNKNOWN if there is none that the asker may see. */
export function knownRow<Row>(kind: string, id: string, row: Row | undefined): Row {
  if (row === undefined) throw new BackstayError("RESOURCE_UNKNOWN", { [kind]: id });
  return row;
}

/** RESOURCE_CHANGED unless the change was made on the version that the row has. */
export function requireVersion(
  kind: string,
  row: { id: string; version: number },
  version: number,
): void {
  if (row.version !== version) throw new BackstayError("RESOURCE_CHANGED", { [kind]: row.id });
}
