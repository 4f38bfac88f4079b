/**
 * How every room of the server is asked for its rows: by whom, for which tenant, and which part of a long list. Rows of
 * another tenant do not exist for who asks (RESOURCE_UNKNOWN), and a change names the version that it was made on
 * (RESOURCE_CHANGED if there is a newer one).
 */
import { BackstayError } from "../../protocol/backstay-error.ts";

/** Id of the tenant whose rows may be seen; null: of every tenant. */
export type TenantScope = string | null;

/** A part of a list in the order of ids, which is the order in which things were made. */
export interface Page {
  /** Id of the last one that the asker has; null: from the beginning. */
  readonly after: string | null;
  /** Most rows, 1 to 1000. */
  readonly limit: number;
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
