/** Small values by name. */
import type { Table } from "./rows.ts";
import type { FactStore } from "./state.ts";
import type { StateDatabase } from "./state-database.ts";

const facts: Table = { name: "facts", key: ["name"] };

export class FactTable implements FactStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  get(name: string): unknown {
    const row = this.#database.read((rows) =>
      rows.first("SELECT * FROM facts WHERE name = ?", name),
    );
    return row === undefined ? undefined : (JSON.parse(String(row["value"])) as unknown);
  }

  put(name: string, value: unknown): void {
    this.#database.write((rows) => rows.put(facts, { name, value: JSON.stringify(value) }));
  }

  remove(name: string): void {
    this.#database.write((rows) => rows.remove("DELETE FROM facts WHERE name = ?", name));
  }
}
