/**
 * Secrets as files of one folder that only the agent's user may enter, each sealed by what the system has for that. A file
 * says how it was sealed, so that secrets stay readable when a machine gets something better.
 */
import { constants, type Stats } from "node:fs";
import { chmod, lstat, mkdir, open, readdir, unlink } from "node:fs/promises";
import path from "node:path";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { DurableFiles } from "../ports/durable-files.ts";
import { type SecretKeeper, type SecretProtection, secretLimits } from "../ports/secret-keeper.ts";

/** What makes a secret unreadable elsewhere. Both reject with an Error whose message is for people and holds no secret. */
export interface SecretSealer {
  readonly protection: SecretProtection;
  readonly machineBound: boolean;
  /** The name is sealed too: what was sealed for one name opens for no other. */
  seal(name: string, secret: Uint8Array): Promise<Uint8Array>;
  open(name: string, sealed: Uint8Array): Promise<Uint8Array>;
}

/** No seal: the file's permissions are all there is. */
export const plainSealer: SecretSealer = {
  protection: "file",
  machineBound: false,
  seal: async (_name, secret) => secret,
  open: async (_name, sealed) => sealed,
};

export interface SecretFilesOptions {
  /** Absolute; made at the first write. */
  readonly folder: string;
  /** The first seals what is written; all of them open what is there. */
  readonly sealers: readonly [SecretSealer, ...SecretSealer[]];
  readonly files: DurableFiles;
}

const secretName = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;
const suffix = ".secret";
/** Base64 of the largest secret, and room for what sealing adds. */
const fileBytesMax = 256 * 1024;
const recordVersion = 1;

interface SecretRecord {
  readonly version: typeof recordVersion;
  readonly protection: string;
  /** Base64 of what the sealer made. */
  readonly sealed: string;
}

export class SecretFiles implements SecretKeeper {
  readonly protection: SecretProtection;
  readonly machineBound: boolean;
  readonly #folder: string;
  readonly #sealers: readonly [SecretSealer, ...SecretSealer[]];
  readonly #files: DurableFiles;

  constructor({ folder, sealers, files }: SecretFilesOptions) {
    this.#folder = folder;
    this.#sealers = sealers;
    this.#files = files;
    const [{ protection, machineBound }] = sealers;
    this.protection = protection;
    this.machineBound = machineBound;
  }

  async names(): Promise<readonly string[]> {
    if (!(await this.#isFolderThere())) return [];
    const entries = await readdir(this.#folder).catch((error: unknown) => this.#fail(error));
    return entries
      .filter((entry) => entry.endsWith(suffix))
      .map((entry) => entry.slice(0, -suffix.length))
      .filter((name) => secretName.test(name))
      .sort();
  }

  async read(name: string): Promise<Uint8Array> {
    const file = this.#fileOf(name);
    if (!(await this.#isFolderThere())) throw new BackstayError("SECRET_MISSING", { name });
    const content = await readSmall(file).catch((error: unknown) => {
      if (isCode(error, "ENOENT")) throw new BackstayError("SECRET_MISSING", { name });
      throw unreadable(name, reasonOf(error), error);
    });
    const { protection, sealed } = parseRecord(name, content);
    const sealer = this.#sealers.find((candidate) => candidate.protection === protection);
    if (sealer === undefined)
      throw unreadable(name, `it was sealed by ${protection}, which this machine does not have`);
    try {
      return await sealer.open(name, Buffer.from(sealed, "base64"));
    } catch (error) {
      throw unreadable(name, reasonOf(error), error);
    }
  }

  async write(name: string, secret: Uint8Array): Promise<void> {
    const file = this.#fileOf(name);
    const problem = valueProblem(secret);
    if (problem !== undefined) throw new BackstayError("SECRET_INVALID", { name, problem });
    const [sealer] = this.#sealers;
    try {
      await this.#makeFolder();
      const sealed = Buffer.from(await sealer.seal(name, secret)).toString("base64");
      const record: SecretRecord = {
        version: recordVersion,
        protection: sealer.protection,
        sealed,
      };
      const content = Buffer.from(`${JSON.stringify(record)}\n`);
      await this.#files.replaceFile(file, content, 0o600, new AbortController().signal);
    } catch (error) {
      this.#fail(error);
    }
  }

  async remove(name: string): Promise<void> {
    const file = this.#fileOf(name);
    if (!(await this.#isFolderThere())) throw new BackstayError("SECRET_MISSING", { name });
    try {
      await unlink(file);
      await this.#files.syncDirectory(this.#folder);
    } catch (error) {
      if (isCode(error, "ENOENT")) throw new BackstayError("SECRET_MISSING", { name });
      this.#fail(error);
    }
  }

  #fileOf(name: string): string {
    if (secretName.test(name)) return path.join(this.#folder, `${name}${suffix}`);
    const problem =
      "a name has 1 to 64 of a-z, 0-9, dot, dash and underscore, with a letter or digit at both ends";
    throw new BackstayError("SECRET_INVALID", { name, problem });
  }

  async #makeFolder(): Promise<void> {
    const first = await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    if (first !== undefined) await this.#files.syncDirectory(path.dirname(first));
    await this.#isFolderThere();
  }

  /** Nobody but the agent's user may get in: who could would replace secrets, and read them where nothing seals them. */
  async #isFolderThere(): Promise<boolean> {
    try {
      const found = await lstat(this.#folder);
      const problem = folderProblem(found);
      if (problem !== undefined) this.#fail(new Error(problem));
      if (process.geteuid !== undefined && (found.mode & 0o077) !== 0)
        await chmod(this.#folder, 0o700);
      return true;
    } catch (error) {
      if (isCode(error, "ENOENT")) return false;
      return this.#fail(error);
    }
  }

  #fail(error: unknown): never {
    if (isBackstayError(error)) throw error;
    const problem = reasonOf(error);
    throw new BackstayError("SECRET_PLACE", { folder: this.#folder, problem }, error);
  }
}

function valueProblem(secret: Uint8Array): string | undefined {
  if (secret.length === 0) return "the value is empty";
  return secret.length > secretLimits.bytesMax
    ? `the value has more than ${secretLimits.bytesMax} bytes`
    : undefined;
}

function folderProblem(found: Stats): string | undefined {
  if (!found.isDirectory()) return "it is no folder";
  const user = process.geteuid?.();
  if (user === undefined || found.uid === user || found.uid === 0) return undefined;
  return `it belongs to another user (id ${found.uid})`;
}

async function readSmall(file: string): Promise<Uint8Array> {
  // A pipe in its place must not hold us up, and a link must not lead elsewhere. Windows has neither flag.
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const handle = await open(file, O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0));
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error("it is no plain file");
    if (found.size > fileBytesMax) throw new Error("it is too large for a secret");
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function parseRecord(name: string, content: Uint8Array): SecretRecord {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(content).toString("utf8"));
  } catch {
    // The parser's own words quote what it read.
    throw unreadable(name, "the file is damaged");
  }
  const { version, protection, sealed } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (typeof version === "number" && version > recordVersion)
    throw unreadable(name, "a newer version of Backstay wrote it");
  if (version !== recordVersion || typeof protection !== "string" || typeof sealed !== "string")
    throw unreadable(name, "the file is damaged");
  return { version, protection, sealed };
}

function unreadable(name: string, problem: string, cause?: unknown): BackstayError {
  return new BackstayError("SECRET_UNREADABLE", { name, problem }, cause);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
