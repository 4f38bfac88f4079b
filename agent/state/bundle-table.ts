/** The bundles of the management server that were accepted: the newest, and the one before it to fall back on. */
import type { Row } from "./connection.ts";
import type { Table } from "./rows.ts";
import type { AcceptedBundle, BundleStore } from "./state.ts";
import type { StateDatabase } from "./state-database.ts";

const bundles: Table = { name: "accepted_bundles", key: ["place"] };

export class BundleTable implements BundleStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  put(bundle: AcceptedBundle): void {
    this.#database.write((rows) => {
      const newest = rows.first("SELECT * FROM accepted_bundles WHERE place = 0");
      if (newest !== undefined) {
        const { checksum: _, ...columns } = newest;
        rows.put(bundles, { ...columns, place: 1 });
      }
      const { jws, floors, acceptedMs } = bundle;
      rows.put(bundles, { place: 0, jws, floors: JSON.stringify(floors), accepted_ms: acceptedMs });
    });
  }

  all(): readonly AcceptedBundle[] {
    return this.#database
      .read((rows) => rows.all("SELECT * FROM accepted_bundles ORDER BY place"))
      .map(bundleOf);
  }

  clear(): void {
    this.#database.write((rows) => rows.remove("DELETE FROM accepted_bundles"));
  }
}

function bundleOf(row: Row): AcceptedBundle {
  return {
    jws: String(row["jws"]),
    floors: JSON.parse(String(row["floors"])) as unknown,
    acceptedMs: Number(row["accepted_ms"]),
  };
}
