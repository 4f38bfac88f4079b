/** One key file: the master key, sealed by a key that scrypt makes of a password. */
import { randomBytes } from "node:crypto";
import { openCodec } from "../../../platform/open-codec.ts";
import { processIdentity } from "../../../platform/process-identity.ts";
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import {
  decodeMasterKey,
  encodeMasterKey,
  type MasterKey,
  masterKeyFromBytes,
  masterKeyToBytes,
} from "../crypto/master-key.ts";
import { Sealer, sha256 } from "../crypto/sealed-bytes.ts";
import { idToHex } from "../id.ts";
import { JsonFields } from "../json/json-fields.ts";
import { parseJson } from "../json/parse-json.ts";
import { deriveScrypt, type ScryptParameters, scryptProblem } from "./scrypt.ts";

const keyFileBytesMax = 64 * 1024;
const saltBytes = 64;

export interface KeyInfo {
  /** Hex id of the file. */
  readonly id: string;
  /** RFC 3339, as the file says; the texts come from whoever wrote the file. */
  readonly created: string;
  readonly userName: string;
  readonly hostName: string;
}

export interface KeyFile extends KeyInfo {
  readonly parameters: ScryptParameters;
  readonly salt: Uint8Array;
  /** Sealed JSON of the master key. */
  readonly data: Uint8Array;
  /** False if the bytes are not those that the name stands for. */
  readonly isIntact: boolean;
}

/** The bytes and the hex id of a new key file that opens `master` with `password`. */
export async function makeKeyFile(
  master: MasterKey,
  password: Uint8Array,
  parameters: ScryptParameters,
  signal: AbortSignal,
): Promise<{ id: string; bytes: Uint8Array }> {
  const salt = randomBytes(saltBytes);
  const user = new Sealer(
    masterKeyFromBytes(await deriveScrypt(password, salt, parameters, signal)),
  );
  const data = user.seal(encodeMasterKey(master));
  const opened = decodeMasterKey(user.open(data) ?? new Uint8Array(0));
  if (
    opened === undefined ||
    Buffer.compare(masterKeyToBytes(opened), masterKeyToBytes(master)) !== 0
  )
    throw new BackstayError("VERIFY_FAILED", { file: "keys" });
  const { userName, hostName } = processIdentity();
  const json = {
    created: new Date().toISOString(),
    ...(userName === "" ? {} : { username: userName }),
    ...(hostName === "" ? {} : { hostname: hostName }),
    kdf: "scrypt",
    N: parameters.N,
    r: parameters.r,
    p: parameters.p,
    salt: salt.toString("base64"),
    data: Buffer.from(data).toString("base64"),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(json));
  return { id: idToHex(sha256(user.codec, bytes)), bytes };
}

/**
 * Loads the key file `id` (hex) of `sizeBytes`. KEY_UNUSABLE naming it if it is empty, too large, no key
 * file, or asks for more work or memory than is reasonable; otherwise rejects as `ObjectStore.load`.
 */
export async function loadKeyFile(
  store: ObjectStore,
  id: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<KeyFile> {
  if (sizeBytes === 0) throw unusableKey(id, "it is empty");
  if (sizeBytes > keyFileBytesMax) throw unusableKey(id, "it is larger than a key file can be");
  const bytes = await store.load({ type: "keys", name: id }, undefined, signal);
  return decodeKeyFile(bytes, id);
}

/** The key file in `bytes`; KEY_UNUSABLE as `loadKeyFile`. */
export function decodeKeyFile(bytes: Uint8Array, id: string): KeyFile {
  try {
    const file = `keys/${id}`;
    const fields = new JsonFields(
      parseJson(bytes, { file, maximumBytes: keyFileBytesMax, maximumDepth: 8 }),
      file,
    );
    if (fields.string("kdf") !== "scrypt")
      throw unusableKey(id, "its key derivation is not scrypt");
    const parameters = {
      N: fields.integer("N"),
      r: fields.integer("r"),
      p: fields.integer("p"),
    };
    const problem = scryptProblem(parameters);
    if (problem !== undefined) throw unusableKey(id, problem);
    const salt = fields.base64("salt");
    if (salt.length !== saltBytes) throw unusableKey(id, "its salt has a wrong length");
    return {
      id,
      created: fields.string("created", ""),
      userName: fields.string("username", ""),
      hostName: fields.string("hostname", ""),
      parameters,
      salt,
      data: fields.base64("data"),
      isIntact: idToHex(sha256(openCodec(), bytes)) === id,
    };
  } catch (error) {
    if (!isBackstayError(error, "REPOSITORY_DAMAGED")) throw error;
    throw unusableKey(id, String(error.context["problem"]));
  }
}

/**
 * The master key in a file, or undefined if the password is not the file's. KEY_UNUSABLE if the password
 * is right and what it opens is no master key.
 */
export async function openKeyFile(
  file: KeyFile,
  password: Uint8Array,
  signal: AbortSignal,
): Promise<MasterKey | undefined> {
  const derived = await deriveScrypt(password, file.salt, file.parameters, signal);
  const json = new Sealer(masterKeyFromBytes(derived)).open(file.data);
  if (json === undefined) return undefined;
  const master = decodeMasterKey(json);
  if (master === undefined) throw unusableKey(file.id, "it holds no master key");
  return master;
}

export function unusableKey(key: string, problem: string): BackstayError {
  return new BackstayError("KEY_UNUSABLE", { key, problem });
}
