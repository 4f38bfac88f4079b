/**
 * What commands bring back from machines: logs. Streamed into files of DATA/uploads, never into memory, kept for two
 * weeks. Replicas share that folder.
 */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { Readable } from "node:stream";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { uploadBytesMax } from "../../protocol/control/agent-api.ts";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import { isFinalCommandState } from "../../protocol/control/command.ts";
import { knownRow, type TenantScope } from "../ground/resource-access.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import { standOf, uploadName } from "./command-rows.ts";

const keptMs = 14 * 86_400_000;
/** A file that is being written is no older. */
const partMsMax = 86_400_000;
const partSuffix = ".part";

export class CommandUploads {
  readonly #ground: ServerGround;
  readonly #folder: string;

  constructor(ground: ServerGround) {
    this.#ground = ground;
    this.#folder = path.join(ground.settings.dataFolder, "uploads");
  }

  /**
   * Takes what a machine sends for its command, whole or not at all; what comes again replaces it. `body` fails at its
   * end if it is not what was signed. Problems not-found (no such command, or it has ended), body-invalid (too much).
   */
  async take(agentId: string, commandId: string, body: Readable): Promise<void> {
    const { database, now } = this.#ground;
    const command = await database
      .selectFrom("commands")
      .selectAll()
      .where("id", "=", commandId)
      .where("agent_id", "=", agentId)
      .executeTakeFirst();
    if (command === undefined) throw agentRefusal("not-found");
    const { state, word } = standOf(command);
    if (isFinalCommandState(state) && word?.by !== "server") throw agentRefusal("not-found");
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const part = path.join(this.#folder, `${randomUUID()}${partSuffix}`);
    try {
      const { sizeBytes, hash } = await writeWhole(part, body);
      const file = uploadName(commandId, hash);
      await rename(part, path.join(this.#folder, file));
      const upload = {
        tenant_id: command.tenant_id,
        file,
        size_bytes: sizeBytes,
        created_ms: now(),
      };
      await database
        .insertInto("command_uploads")
        .values({ command_id: commandId, ...upload })
        .onConflict((conflict) => conflict.column("command_id").doUpdateSet(upload))
        .execute();
    } finally {
      await rm(part, { force: true });
    }
  }

  /** RESOURCE_UNKNOWN if there is none that the asker may see, or it was removed. */
  async open(
    scope: TenantScope,
    commandId: string,
  ): Promise<{ readonly sizeBytes: number; readonly content: Readable }> {
    let query = this.#ground.database
      .selectFrom("command_uploads")
      .selectAll()
      .where("command_id", "=", commandId);
    if (scope !== null) query = query.where("tenant_id", "=", scope);
    const row = knownRow("upload", commandId, await query.executeTakeFirst());
    const file = path.join(this.#folder, row.file);
    try {
      await stat(file);
    } catch (error) {
      throw new BackstayError("RESOURCE_UNKNOWN", { upload: commandId }, error);
    }
    return { sizeBytes: row.size_bytes, content: createReadStream(file) };
  }

  /** Removes what is old, rows and files, and files that no row names. To be done by each replica. */
  async sweep(): Promise<void> {
    const { database, now } = this.#ground;
    await database
      .deleteFrom("command_uploads")
      .where("created_ms", "<", now() - keptMs)
      .execute();
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const file = path.join(this.#folder, name);
      const info = await stat(file).catch(() => undefined);
      if (info === undefined) continue;
      const ageMs = now() - info.mtimeMs;
      const row = await database
        .selectFrom("command_uploads")
        .select("command_id")
        .where("command_id", "=", name.split(".", 1)[0] ?? "")
        .where("file", "=", name)
        .executeTakeFirst();
      if (row === undefined && ageMs > partMsMax) await rm(file, { force: true });
    }
  }
}

/** Writes a stream to a new file, durable; removed by the caller if that fails. */
async function writeWhole(
  file: string,
  body: Readable,
): Promise<{ sizeBytes: number; hash: string }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const handle = await open(file, "wx", 0o600);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > uploadBytesMax)
        throw agentRefusal("body-invalid", `More than ${uploadBytesMax} bytes.`);
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { sizeBytes, hash: hash.digest("hex") };
}
