/** What an order wants of the keys of a repository, done before its work: another password, a recovery password. */
import { randomBytes } from "node:crypto";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { RunOrder } from "../../protocol/run-order.ts";
import { addKey, changePassword } from "../repository/key/key-ring.ts";
import type { Repository } from "../repository/repository.ts";
import type { EngineOutput } from "./engine-output.ts";

/** 160 bits. */
const recoveryBytes = 20;
const letters = "abcdefghijkmnpqrstuvwxyz23456789";

/**
 * `isOld`: the repository was opened with a password that it should not have any more. Where somebody else holds the
 * lock, or the storage can't be written, that waits for the next run: this one works with any password.
 */
export async function tendKeys(
  order: RunOrder,
  repository: Repository,
  isOld: boolean,
  output: EngineOutput,
  signal: AbortSignal,
): Promise<void> {
  const recovery = order.work.kind === "backup" ? order.repository.recovery : undefined;
  if (!isOld && recovery === undefined) return;
  const exclusive = isOld || recovery?.replaces !== undefined;
  try {
    const lock = await repository.lock({ exclusive, waitMs: order.lockWaitMs, signal });
    try {
      if (isOld) await replacePassword(order.repository.password, repository, output, signal);
      if (recovery !== undefined) await addRecovery(repository, recovery.replaces, output, signal);
    } finally {
      await lock.release();
    }
  } catch (error) {
    if (!isBackstayError(error, "REPOSITORY_LOCKED") && !isBackstayError(error, "STORE_DENIED"))
      throw error;
  }
}

async function replacePassword(
  text: string,
  { store, masterKey, key }: Repository,
  output: EngineOutput,
  signal: AbortSignal,
): Promise<void> {
  const old = { master: masterKey, info: key };
  const password = new TextEncoder().encode(text);
  const { id, oldKeyProblem } = await changePassword(store, old, password, signal);
  signal.throwIfAborted();
  output.passwordChanged(id, problemOf(oldKeyProblem));
}

function problemOf(failure: unknown): string | undefined {
  if (failure === undefined) return undefined;
  return failure instanceof Error ? failure.message : "the storage did not do it";
}

async function addRecovery(
  { store, masterKey }: Repository,
  replaces: string | undefined,
  output: EngineOutput,
  signal: AbortSignal,
): Promise<void> {
  const password = recoveryPassword();
  const keyName = await addKey(store, masterKey, new TextEncoder().encode(password), signal);
  output.recovery(keyName, password);
  if (replaces === undefined) return;
  try {
    await store.remove({ type: "keys", name: replaces }, signal);
  } catch (error) {
    // Where agents may not delete it stays, and opens the repository for who has the former recovery password.
    if (!isBackstayError(error)) throw error;
  }
}

/** Eight groups of four letters and digits that nobody mistakes for each other: 160 bits. */
function recoveryPassword(): string {
  const bits = [...randomBytes(recoveryBytes)].map((byte) => byte.toString(2).padStart(8, "0"));
  const characters = (bits.join("").match(/.{5}/g) ?? []).map((five) => letters[parseInt(five, 2)]);
  return (characters.join("").match(/.{4}/g) ?? []).join("-");
}
