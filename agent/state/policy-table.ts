/** The last known good text of each policy, and where it came from. */
import { createHash } from "node:crypto";
import type { Row } from "./connection.ts";
import type { Table } from "./rows.ts";
import type { AppliedPolicy, PolicyStore } from "./state.ts";
import type { StateDatabase } from "./state-database.ts";

const policies: Table = { name: "policies", key: ["name"] };

export class PolicyTable implements PolicyStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  put(given: Omit<AppliedPolicy, "fingerprint">): AppliedPolicy {
    const { name, document, origin, appliedMs } = given;
    const fingerprint = createHash("sha256").update(document).digest("hex");
    this.#database.write((rows) =>
      rows.put(policies, { name, document, fingerprint, origin, applied_ms: appliedMs }),
    );
    return { ...given, fingerprint };
  }

  get(name: string): AppliedPolicy | undefined {
    const row = this.#database.read((rows) =>
      rows.first("SELECT * FROM policies WHERE name = ?", name),
    );
    return row === undefined ? undefined : policyOf(row);
  }

  all(): readonly AppliedPolicy[] {
    return this.#database
      .read((rows) => rows.all("SELECT * FROM policies ORDER BY name"))
      .map(policyOf);
  }

  remove(name: string): boolean {
    return (
      this.#database.write((rows) => rows.remove("DELETE FROM policies WHERE name = ?", name)) > 0
    );
  }
}

function policyOf(row: Row): AppliedPolicy {
  return {
    name: String(row["name"]),
    document: String(row["document"]),
    fingerprint: String(row["fingerprint"]),
    origin: String(row["origin"]),
    appliedMs: Number(row["applied_ms"]),
  };
}
