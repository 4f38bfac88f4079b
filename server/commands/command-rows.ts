/** Commands as rows and as people see them. */
import type { Selectable } from "kysely";
import type { CommandOrder, CommandState } from "../../protocol/control/command.ts";
import type { Tables } from "../database/tables.ts";
import type { Queries } from "../ground/server-ground.ts";
import type { CommandStand, CommandWord } from "./command-rules.ts";

export type CommandRow = Selectable<Tables["commands"]>;

/** What a command brought back. */
export interface CommandUpload {
  readonly sizeBytes: number;
  /** SHA-256, hex. */
  readonly hash: string;
  readonly createdMs: number;
}

export interface Command {
  readonly id: string;
  readonly tenantId: string;
  readonly agentId: string;
  readonly order: CommandOrder;
  readonly state: CommandState;
  /** For people: the newest word on it; empty if there is none. */
  readonly text: string;
  /** When that was said, ms since 1970; null if nothing was. */
  readonly saidMs: number | null;
  /** Of the session that it started. */
  readonly sessionId: string | null;
  /** Code of the error catalogue. */
  readonly errorCode: string | null;
  /** `token:<id>`; `server` for those of its schedule. */
  readonly createdBy: string;
  readonly createdMs: number;
  /** Not begun by then, it is dropped. */
  readonly expiresMs: number;
  readonly updatedMs: number;
  readonly upload: CommandUpload | null;
}

export function standOf(row: Pick<CommandRow, "state" | "progress">): CommandStand {
  return {
    state: row.state as CommandState,
    word: row.progress === null ? null : (JSON.parse(row.progress) as CommandWord),
  };
}

/** Writes a new stand, if the command still stands as it was read. False if it does not. */
export async function writeStand(
  queries: Queries,
  row: Pick<CommandRow, "id" | "state" | "updated_ms">,
  { state, word }: CommandStand,
  nowMs: number,
): Promise<boolean> {
  const { numUpdatedRows } = await queries
    .updateTable("commands")
    .set({ state, progress: JSON.stringify(word), updated_ms: nowMs })
    .where("id", "=", row.id)
    .where("state", "=", row.state)
    .where("updated_ms", "=", row.updated_ms)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export function commandOf(
  row: CommandRow,
  upload?: Selectable<Tables["command_uploads"]>,
): Command {
  const { state, word } = standOf(row);
  return {
    id: row.id,
    tenantId: row.tenant_id,
    agentId: row.agent_id,
    order: JSON.parse(row.order) as CommandOrder,
    state,
    text: word?.text ?? "",
    saidMs: word?.timeMs ?? null,
    sessionId: word?.sessionId ?? null,
    errorCode: word?.errorCode ?? null,
    createdBy: row.created_by,
    createdMs: row.created_ms,
    expiresMs: row.expires_ms,
    updatedMs: row.updated_ms,
    upload:
      upload === undefined
        ? null
        : {
            sizeBytes: upload.size_bytes,
            hash: hashInName(upload.file),
            createdMs: upload.created_ms,
          },
  };
}

/** Files of uploads are named by their command and what is in them. */
export function uploadName(commandId: string, hash: string): string {
  return `${commandId}.${hash}`;
}

function hashInName(file: string): string {
  return file.slice(file.lastIndexOf(".") + 1);
}
