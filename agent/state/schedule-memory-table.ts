/** What the schedule remembers of each policy, as JSON whose meaning only the schedule knows. */
import type { Table } from "./rows.ts";
import type { ScheduleMemoryStore } from "./state.ts";
import type { StateDatabase } from "./state-database.ts";

const scheduleMemory: Table = { name: "schedule_memory", key: ["policy"] };

export class ScheduleMemoryTable implements ScheduleMemoryStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  get(policy: string): unknown {
    const row = this.#database.read((rows) =>
      rows.first("SELECT * FROM schedule_memory WHERE policy = ?", policy),
    );
    return row === undefined ? undefined : (JSON.parse(String(row["memory"])) as unknown);
  }

  put(policy: string, memory: unknown): void {
    this.#database.write((rows) =>
      rows.put(scheduleMemory, { policy, memory: JSON.stringify(memory) }),
    );
  }

  remove(policy: string): void {
    this.#database.write((rows) =>
      rows.remove("DELETE FROM schedule_memory WHERE policy = ?", policy),
    );
  }
}
