/** Key files: the master key, sealed by a key that scrypt makes of a password. One file a password. */
import { randomBytes } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import {
  decodeMasterKey,
  encodeMasterKey,
  type MasterKey,
  masterKeyFromBytes,
} from "../crypto/master-key.ts";
import { Sealer, sha256 } from "../crypto/sealed-bytes.ts";
import { idToHex } from "../id.ts";
import { defaultScrypt, deriveScrypt, type ScryptParameters, scryptProblem } from "./scrypt.ts";

/** Most key files that are tried for a password, as restic does. */
export const keyFilesTriedMax = 20;
const keyFileBytesMax = 64 * 1024;
const saltBytes = 64;

export interface KeyInfo {
  /** Hex id of the file. */
  readonly id: string;
  /** RFC 3339, as the file says. */
  readonly created: string;
  readonly userName: string;
  readonly hostName: string;
}

interface KeyFile extends KeyInfo {
  readonly parameters: ScryptParameters;
  readonly salt: Uint8Array;
  readonly data: Uint8Array;
}

export interface OpenedKey {
  readonly master: MasterKey;
  readonly info: KeyInfo;
}

/** Writes a key file that opens `master` with `password`; resolves with its id. */
export async function addKey(
  store: ObjectStore,
  master: MasterKey,
  password: Uint8Array,
  signal: AbortSignal,
  parameters: ScryptParameters = defaultScrypt,
): Promise<string> {
  const salt = randomBytes(saltBytes);
  const user = new Sealer(masterKeyFromBytes(await deriveScrypt(password, salt, parameters)));
  const file = {
    created: new Date().toISOString(),
    username: userInfo().username,
    hostname: hostname(),
    kdf: "scrypt",
    N: parameters.N,
    r: parameters.r,
    p: parameters.p,
    salt: salt.toString("base64"),
    data: Buffer.from(user.seal(encodeMasterKey(master))).toString("base64"),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(file));
  const id = idToHex(sha256(user.codec, bytes));
  await store.save({ type: "keys", name: id }, bytes, signal);
  return id;
}

/**
 * Opens the repository's master key with a password. REPOSITORY_MISSING if there is no key file at all,
 * WRONG_PASSWORD if the password opens none, KEY_UNUSABLE if only damaged or unreasonable files are there.
 */
export async function openMasterKey(
  store: ObjectStore,
  password: Uint8Array,
  signal: AbortSignal,
): Promise<OpenedKey> {
  let readable = 0;
  let problem: BackstayError | undefined;
  let tried = 0;
  for await (const { name, size } of store.list("keys", signal)) {
    if (tried === keyFilesTriedMax) break;
    tried += 1;
    try {
      const file = await loadKeyFile(store, name, size, signal);
      readable += 1;
      const opened = await tryPassword(file, password);
      if (opened !== undefined) return { master: opened, info: file };
    } catch (error) {
      if (!isBackstayError(error, "KEY_UNUSABLE")) throw error;
      problem = error;
    }
    signal.throwIfAborted();
  }
  if (readable > 0) throw new BackstayError("WRONG_PASSWORD", { repository: store.location });
  if (problem !== undefined) throw problem;
  throw new BackstayError("REPOSITORY_MISSING", { repository: store.location });
}

/** The key files of a repository; damaged ones are left out. */
export async function listKeys(store: ObjectStore, signal: AbortSignal): Promise<KeyInfo[]> {
  const keys: KeyInfo[] = [];
  for await (const { name, size } of store.list("keys", signal)) {
    try {
      keys.push(await loadKeyFile(store, name, size, signal));
    } catch (error) {
      if (!isBackstayError(error, "KEY_UNUSABLE")) throw error;
    }
  }
  return keys;
}

async function tryPassword(file: KeyFile, password: Uint8Array): Promise<MasterKey | undefined> {
  const user = new Sealer(
    masterKeyFromBytes(await deriveScrypt(password, file.salt, file.parameters)),
  );
  const json = user.open(file.data);
  if (json === undefined) return undefined;
  const master = decodeMasterKey(json);
  if (master === undefined) throw unusable(file.id, "it holds no master key");
  return master;
}

async function loadKeyFile(
  store: ObjectStore,
  id: string,
  size: number,
  signal: AbortSignal,
): Promise<KeyFile> {
  if (size === 0) throw unusable(id, "it is empty");
  if (size > keyFileBytesMax) throw unusable(id, "it is larger than a key file can be");
  const bytes = await store.load({ type: "keys", name: id }, undefined, signal);
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(Buffer.from(bytes).toString("utf8")) as Record<string, unknown>;
  } catch {
    throw unusable(id, "it is no JSON");
  }
  if (typeof json !== "object" || json === null) throw unusable(id, "it is no JSON object");
  if (json["kdf"] !== "scrypt") throw unusable(id, "its key derivation is not scrypt");
  const parameters = {
    N: json["N"] as number,
    r: json["r"] as number,
    p: json["p"] as number,
  };
  const problem = scryptProblem(parameters);
  if (problem !== undefined) throw unusable(id, problem);
  const salt = Buffer.from(text(json["salt"]), "base64");
  if (salt.length !== saltBytes) throw unusable(id, "its salt has a wrong length");
  return {
    id,
    created: text(json["created"]),
    userName: text(json["username"]),
    hostName: text(json["hostname"]),
    parameters,
    salt,
    data: Buffer.from(text(json["data"]), "base64"),
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function unusable(key: string, problem: string): BackstayError {
  return new BackstayError("KEY_UNUSABLE", { key, problem });
}
