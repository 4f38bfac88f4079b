/** Commands of the server: each is kept well beyond its expiry, so that one that comes again is known. */
import {
  type CommandDocument,
  type CommandProgress,
  isFinalCommandState,
} from "../../protocol/control/command.ts";
import type { Row, Value } from "./connection.ts";
import type { Rows, Table } from "./rows.ts";
import type { CommandStore, StoredCommand } from "./state.ts";
import type { StateDatabase } from "./state-database.ts";

const commands: Table = { name: "commands", key: ["id"] };
const keptMsAfterExpiry = 30 * 86_400_000;

export class CommandTable implements CommandStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  put({ document, progress, isTold }: StoredCommand): void {
    this.#database.write((rows) => {
      const { id } = document;
      const known = rows.value("SELECT sequence FROM commands WHERE id = ?", id);
      const next = Number(rows.value("SELECT max(sequence) FROM commands")) + 1;
      rows.put(commands, {
        id,
        sequence: known ?? next,
        document: JSON.stringify(document),
        state: progress.state,
        progress: JSON.stringify(progress),
        is_told: isTold ? 1 : 0,
      });
    });
  }

  get(id: string): StoredCommand | undefined {
    return this.#list("WHERE id = ?", id)[0];
  }

  unfinished(): readonly StoredCommand[] {
    return this.#list("WHERE state IN ('accepted', 'running') ORDER BY sequence");
  }

  untold(): readonly StoredCommand[] {
    return this.#list("WHERE is_told = 0 ORDER BY sequence");
  }

  toldSince(sinceMs: number): readonly StoredCommand[] {
    return this.#list("WHERE is_told = 1 ORDER BY sequence").filter(
      ({ progress }) => progress.timeMs >= sinceMs,
    );
  }

  /** Removes those that have ended and have expired long ago, told or not: the server has given them up as well. */
  prune(nowMs: number): void {
    this.#database.write((rows) => {
      for (const command of list(rows, "ORDER BY sequence"))
        if (
          isFinalCommandState(command.progress.state) &&
          command.document.expiresMs < nowMs - keptMsAfterExpiry
        )
          rows.remove("DELETE FROM commands WHERE id = ?", command.document.id);
    });
  }

  #list(condition: string, ...values: readonly Value[]): StoredCommand[] {
    return this.#database.read((rows) => list(rows, condition, ...values));
  }
}

function list(rows: Rows, condition: string, ...values: readonly Value[]): StoredCommand[] {
  return rows.all(`SELECT * FROM commands ${condition}`, ...values).map(commandOf);
}

function commandOf(row: Row): StoredCommand {
  return {
    document: JSON.parse(String(row["document"])) as CommandDocument,
    progress: JSON.parse(String(row["progress"])) as CommandProgress,
    isTold: row["is_told"] === 1,
  };
}
