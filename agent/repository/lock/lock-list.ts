/** The lock files of a repository: listed, judged and removed. */
import { isProcessAlive, processIdentity } from "../../../platform/process-identity.ts";
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import type { Sealer } from "../crypto/sealed-bytes.ts";
import { assertStoredSize, decodeUnpacked, unpackedLimits } from "../unpacked-file.ts";
import { decodeLock, isHolderGone, isStale, type LockFile } from "./lock-file.ts";

export interface LockAccess {
  readonly store: ObjectStore;
  readonly sealer: Sealer;
  readonly version: 1 | 2;
}

export interface NamedLock {
  readonly name: string;
  /** Undefined if the file could not be decoded. */
  readonly lock: LockFile | undefined;
}

/** All locks, decoded where that is possible. Files that vanish meanwhile are left out, empty ones too (as restic does). */
export async function listLocks(access: LockAccess, signal: AbortSignal): Promise<NamedLock[]> {
  const locks: NamedLock[] = [];
  for await (const { name, size } of access.store.list("locks", signal)) {
    if (size === 0) continue;
    try {
      locks.push({ name, lock: await loadLock(access, name, size, signal) });
    } catch (error) {
      if (isBackstayError(error, "STORE_NOT_FOUND")) continue;
      if (!isBackstayError(error, "REPOSITORY_DAMAGED")) throw error;
      locks.push({ name, lock: undefined });
    }
  }
  return locks;
}

async function loadLock(
  { store, sealer }: LockAccess,
  name: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<LockFile | undefined> {
  const file = `locks/${name}`;
  assertStoredSize(sizeBytes, file, unpackedLimits.locks);
  const stored = await store.load({ type: "locks", name }, undefined, signal);
  return decodeLock(decodeUnpacked(sealer, stored, file, unpackedLimits.locks));
}

/** Removes stale locks by restic's rule, or all of them; resolves with their number and how many are left. */
export async function removeLocks(
  access: LockAccess,
  which: "stale" | "all",
  signal: AbortSignal,
): Promise<{ removed: number; left: number }> {
  const self = processIdentity();
  let [removed, left] = [0, 0];
  for (const { name, lock } of await listLocks(access, signal)) {
    const stale = lock !== undefined && isStale(lock, self, Date.now(), isProcessAlive);
    if (which === "stale" && !stale) {
      left += 1;
      continue;
    }
    await access.store.remove({ type: "locks", name }, signal);
    removed += 1;
  }
  return { removed, left };
}

/**
 * Rejects with REPOSITORY_LOCKED naming the holder if a lock other than `own` conflicts. Locks of this machine whose
 * process is gone are removed instead.
 */
export async function refuseConflict(
  access: LockAccess,
  exclusive: boolean,
  own: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const self = processIdentity();
  for (const { name, lock } of await listLocks(access, signal)) {
    if (name === own) continue;
    if (lock !== undefined && isHolderGone(lock, self, Date.now(), isProcessAlive)) {
      await access.store.remove({ type: "locks", name }, signal);
      continue;
    }
    if (lock !== undefined && !exclusive && !lock.exclusive) continue;
    throw new BackstayError("REPOSITORY_LOCKED", describeHolder(name, lock));
  }
}

function describeHolder(name: string, lock: LockFile | undefined): Record<string, string | number> {
  if (lock === undefined) return { lock: name, holder: "unreadable" };
  return {
    holder: `${lock.userName}@${lock.hostName}`,
    pid: lock.pid,
    kind: lock.exclusive ? "exclusive" : "shared",
    since: new Date(lock.timeMs).toISOString(),
  };
}
