/** The server's folder on its machine: what is in it under which name, and that one server at a time uses it. */
import { chmod, mkdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import { openInstanceLock } from "../../platform/open-instance-lock.ts";
import type { InstanceLock } from "../../platform/ports/instance-lock.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";

const never = new AbortController().signal;
const localAccess = z.object({ url: z.string(), pin: z.string(), token: z.string() });
/** How commands on the same machine reach the server, as an administrator. */
export type LocalAccess = z.output<typeof localAccess>;

export class DataFolder {
  readonly path: string;
  readonly #lock: InstanceLock;
  readonly #files = openDurableFiles();

  private constructor(folder: string, lock: InstanceLock) {
    this.path = folder;
    this.#lock = lock;
  }

  /** Makes the folder if it is not there, for its owner only. SERVER_RUNNING, SERVER_PLACE. */
  static async open(folder: string): Promise<DataFolder> {
    await requireOwn(folder);
    try {
      for (const made of [folder, path.join(folder, "keys"), path.join(folder, "tls")]) {
        await mkdir(made, { recursive: true, mode: 0o700 });
        if (made !== folder) await chmod(made, 0o700);
      }
    } catch (error) {
      const problem = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new BackstayError("SERVER_PLACE", { path: folder, problem }, error);
    }
    const lock = openInstanceLock(path.join(folder, "server.lock"));
    if (lock === undefined) throw new BackstayError("SERVER_RUNNING", { path: folder });
    return new DataFolder(folder, lock);
  }

  get databaseFile(): string {
    return databaseFileOf(this.path);
  }

  get masterKeyFile(): string {
    return masterKeyFileOf(this.path);
  }

  /** Where the gateway stores; may be a file system of its own. */
  get repositoriesFolder(): string {
    return path.join(this.path, "repositories");
  }

  get certificateFile(): string {
    return path.join(this.path, "tls", "server.crt");
  }

  /** What was written at the last start; undefined if there is nothing that can be read. */
  async readLocalAccess(): Promise<LocalAccess | undefined> {
    const text = await readIfThere(this.#localAccessFile);
    try {
      return text === undefined ? undefined : localAccess.parse(JSON.parse(text));
    } catch {
      return undefined;
    }
  }

  async writeLocalAccess(access: LocalAccess): Promise<void> {
    await this.write(this.#localAccessFile, `${JSON.stringify(access, null, 2)}\n`);
  }

  /** Replaces a file durably, for the owner only. SERVER_PLACE. */
  async write(file: string, text: string): Promise<void> {
    try {
      await this.#files.replaceFile(file, Buffer.from(text), 0o600, never);
    } catch (error) {
      const problem = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new BackstayError("SERVER_PLACE", { path: file, problem }, error);
    }
  }

  /** Another server may use the folder. */
  close(): void {
    this.#lock.release();
  }

  get #localAccessFile(): string {
    return path.join(this.path, "local-access.json");
  }
}

/** What a server of another user writes there, the folder's own user could not read or replace. */
async function requireOwn(folder: string): Promise<void> {
  const user = process.getuid?.();
  const found = await stat(folder).catch(() => undefined);
  if (user === undefined || found === undefined || found.uid === user) return;
  const problem = `it belongs to user ${found.uid}, and this server runs as user ${user}`;
  throw new BackstayError("SERVER_PLACE", { path: folder, problem });
}

/** The database of a data folder, if it is not elsewhere. */
export function databaseFileOf(folder: string): string {
  return path.join(folder, "server.db");
}

/** The master key of a data folder, if it is not elsewhere. */
export function masterKeyFileOf(folder: string): string {
  return path.join(folder, "keys", "master.key");
}

/** The text of a file; undefined if there is none. SERVER_PLACE. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new BackstayError("SERVER_PLACE", { path: file, problem: code ?? String(error) }, error);
  }
}
