/**
 * The key files of a repository: opening it with a password, and adding, listing and removing passwords.
 * The master key never changes. Callers of what writes here hold the repository's lock: shared to
 * add, exclusive to remove.
 */
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import { type MasterKey, masterKeyToBytes } from "../crypto/master-key.ts";
import {
  type KeyFile,
  type KeyInfo,
  loadKeyFile,
  makeKeyFile,
  openKeyFile,
  unusableKey,
} from "./key-file.ts";
import { defaultScrypt, type ScryptParameters, scryptWork } from "./scrypt.ts";

/** Most key files that are tried for a password, as restic does. */
export const keyFilesTriedMax = 20;
/** Most key files that are looked at to find those: some may be garbage. */
const keyFilesReadMax = 200;
/** Most key files that are listed; a repository with more has a problem that no list solves. */
const keyFilesListedMax = 1000;
/** N·r·p of all tries together: half a minute. Hostile files must not keep the right one from its turn for hours. */
const workMax = 2 ** 27;
/** How long taking back a key file may take that could not be stored for certain. */
const takeBackMs = 30_000;

export interface OpenedKey {
  readonly master: MasterKey;
  readonly info: KeyInfo;
}

/** A key file as a list shows it. */
export interface ListedKey extends KeyInfo {
  /** Why it can't be used; the texts of the key are then empty. */
  readonly problem: string | undefined;
}

/** What `changePassword` did. */
export interface PasswordChange {
  /** Hex id of the new key file. */
  readonly id: string;
  /** Why the old key file could not be removed: then both passwords open the repository. */
  readonly oldKeyProblem: unknown;
}

/**
 * Writes a key file that opens `master` with `password`; resolves with its hex id. After a failure the file
 * is not there, if the store still answers.
 */
export async function addKey(
  store: ObjectStore,
  master: MasterKey,
  password: Uint8Array,
  signal: AbortSignal,
  parameters: ScryptParameters = defaultScrypt,
): Promise<string> {
  const { id, bytes } = await makeKeyFile(master, password, parameters, signal);
  try {
    await store.save({ type: "keys", name: id }, bytes, signal);
  } catch (error) {
    await takeBack(store, id);
    throw error;
  }
  return id;
}

/**
 * Opens the repository's master key with a password; of several, the one that `fits` (that opens the config).
 * The cheapest files are tried first. WRONG_PASSWORD if the password opens none, KEY_UNUSABLE if only damaged or
 * unreasonable files are there, REPOSITORY_DAMAGED if there is none or what it opens does not fit.
 */
export async function openMasterKey(
  store: ObjectStore,
  password: Uint8Array,
  signal: AbortSignal,
  fits: (master: MasterKey) => boolean = () => true,
): Promise<OpenedKey> {
  const { files, problems } = await loadCandidates(store, signal);
  let work = 0;
  let isWrong = false;
  let isMisfit = false;
  for (const file of files) {
    work += scryptWork(file.parameters);
    if (work > workMax) {
      problems.push(
        unusableKey(file.id, "with the others it asks for more than half a minute of work"),
      );
      continue;
    }
    try {
      const master = await openKeyFile(file, password, signal);
      if (master !== undefined && fits(master)) return { master, info: file };
      if (master !== undefined) isMisfit = true;
      else if (file.isIntact) isWrong = true;
      else problems.push(unusableKey(file.id, "its content is not what its name says"));
    } catch (error) {
      if (!isBackstayError(error, "KEY_UNUSABLE")) throw error;
      problems.push(error);
    }
  }
  const repository = store.location;
  if (isMisfit)
    throw new BackstayError("REPOSITORY_DAMAGED", {
      repository,
      file: "config",
      problem: "the key that the password opens does not open it",
    });
  if (isWrong) throw new BackstayError("WRONG_PASSWORD", { repository, keysTried: files.length });
  const [problem] = problems;
  if (problem !== undefined) throw problem;
  throw new BackstayError("REPOSITORY_DAMAGED", { repository, problem: "it has no key file" });
}

/** All key files, damaged ones with their problem; in no useful order. */
export async function listKeys(store: ObjectStore, signal: AbortSignal): Promise<ListedKey[]> {
  const keys: ListedKey[] = [];
  for await (const { name, size } of store.list("keys", signal)) {
    if (keys.length === keyFilesListedMax) break;
    const listed = await listKey(store, name, size, signal);
    if (listed !== undefined) keys.push(listed);
  }
  return keys;
}

/** The id that a prefix (or the whole) of it means; KEY_NOT_FOUND unless exactly one key file matches. */
export async function findKeyId(
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal,
): Promise<string> {
  const matching: string[] = [];
  for await (const { name } of store.list("keys", signal))
    if (prefix !== "" && name.startsWith(prefix)) matching.push(name);
  const [id] = matching;
  if (id === undefined || matching.length > 1)
    throw new BackstayError("KEY_NOT_FOUND", { key: prefix, matching: matching.length });
  return id;
}

/**
 * Removes the key file `id`. Refuses with KEY_NEEDED to remove `ownKeyId` (the one that opened the repository)
 * and the last one that could open it, unless `isForced`; KEY_NOT_FOUND if there is no such file.
 */
export async function removeKey(
  store: ObjectStore,
  id: string,
  options: { ownKeyId: string; isForced?: boolean; signal: AbortSignal },
): Promise<void> {
  const { ownKeyId, isForced = false, signal } = options;
  if ((await store.stat({ type: "keys", name: id }, signal)) === undefined)
    throw new BackstayError("KEY_NOT_FOUND", { key: id, matching: 0 });
  if (!isForced) {
    if (id === ownKeyId)
      throw new BackstayError("KEY_NEEDED", {
        key: id,
        problem: "its password opened this session",
      });
    const keys = await listKeys(store, signal);
    if (!keys.some((key) => key.id !== id && key.problem === undefined))
      throw new BackstayError("KEY_NEEDED", { key: id, problem: "no other key can be used" });
  }
  await store.remove({ type: "keys", name: id }, signal);
}

/**
 * Replaces the password of `old`: a new key file is stored, read back and opened with the new password,
 * and only then the old one is removed. Whatever fails, at least one of both passwords opens the repository.
 */
export async function changePassword(
  store: ObjectStore,
  old: OpenedKey,
  password: Uint8Array,
  signal: AbortSignal,
  parameters: ScryptParameters = defaultScrypt,
): Promise<PasswordChange> {
  const id = await addKey(store, old.master, password, signal, parameters);
  try {
    await assertOpens(store, id, password, old.master, signal);
  } catch (error) {
    await takeBack(store, id);
    throw error;
  }
  try {
    await store.remove({ type: "keys", name: old.info.id }, signal);
    return { id, oldKeyProblem: undefined };
  } catch (error) {
    return { id, oldKeyProblem: error };
  }
}

async function assertOpens(
  store: ObjectStore,
  id: string,
  password: Uint8Array,
  expected: MasterKey,
  signal: AbortSignal,
): Promise<void> {
  const size = (await store.stat({ type: "keys", name: id }, signal)) ?? 0;
  const stored = await loadKeyFile(store, id, size, signal);
  const master = await openKeyFile(stored, password, signal);
  const isSame =
    master !== undefined &&
    Buffer.compare(masterKeyToBytes(master), masterKeyToBytes(expected)) === 0;
  if (!isSame) throw new BackstayError("VERIFY_FAILED", { key: id });
}

/** After a failed save the file may be there all the same: a password that nobody knows to be in force. */
async function takeBack(store: ObjectStore, id: string): Promise<void> {
  try {
    await store.remove({ type: "keys", name: id }, AbortSignal.timeout(takeBackMs));
  } catch {
    // The failure that led here says more than this one.
  }
}

/** The files to try, the cheapest first, and what is wrong with the others. */
async function loadCandidates(
  store: ObjectStore,
  signal: AbortSignal,
): Promise<{ files: KeyFile[]; problems: BackstayError[] }> {
  const files: KeyFile[] = [];
  const problems: BackstayError[] = [];
  for await (const { name, size } of store.list("keys", signal)) {
    if (files.length === keyFilesTriedMax || files.length + problems.length === keyFilesReadMax)
      break;
    try {
      files.push(await loadKeyFile(store, name, size, signal));
    } catch (error) {
      if (isBackstayError(error, "STORE_NOT_FOUND")) continue;
      if (!isBackstayError(error, "KEY_UNUSABLE")) throw error;
      problems.push(error);
    }
  }
  files.sort((a, b) => scryptWork(a.parameters) - scryptWork(b.parameters));
  return { files, problems };
}

async function listKey(
  store: ObjectStore,
  id: string,
  size: number,
  signal: AbortSignal,
): Promise<ListedKey | undefined> {
  const unusable = (problem: string): ListedKey => ({
    id,
    created: "",
    userName: "",
    hostName: "",
    problem,
  });
  try {
    const { created, userName, hostName, isIntact } = await loadKeyFile(store, id, size, signal);
    if (!isIntact) return unusable("its content is not what its name says");
    return { id, created, userName, hostName, problem: undefined };
  } catch (error) {
    if (isBackstayError(error, "STORE_NOT_FOUND")) return undefined;
    if (!isBackstayError(error, "KEY_UNUSABLE")) throw error;
    return unusable(String(error.context["problem"]));
  }
}
