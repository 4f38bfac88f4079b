/**
 * The lock of a session on the repository, by restic's protocol: a shared or an exclusive file in
 * `locks/`, replaced by a fresh one every five minutes.
 *
 * L1. A lock file is written, then the others are read; a conflict found then takes the own file back.
 * L2. A refresh writes the new file before it removes the old one.
 * L3. `assertHeld` fails once the file is gone or could not be refreshed in time; nothing may be written then.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isProcessAlive, processIdentity } from "../../../platform/process-identity.ts";
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import { type Sealer, sha256 } from "../crypto/sealed-bytes.ts";
import { idToHex } from "../id.ts";
import { decodeUnpacked, encodeUnpacked } from "../unpacked-file.ts";
import {
  decodeLock,
  encodeLock,
  isHolderGone,
  isStale,
  type LockFile,
  staleAfterMs,
} from "./lock-file.ts";

const refreshMs = 5 * 60 * 1000;
/** After this long without a refresh the holder must not write any more (restic: 30 min less 1.5 refreshes). */
const untrustedAfterMs = staleAfterMs - 1.5 * refreshMs;
const settleMs = 200;
const retryMsMin = 1000;
const retryMsMax = 30_000;

export interface LockAccess {
  readonly store: ObjectStore;
  readonly sealer: Sealer;
  readonly version: 1 | 2;
}

export interface LockOptions {
  readonly exclusive: boolean;
  /** How long to wait for others to end. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

export interface NamedLock {
  readonly name: string;
  /** Undefined if the file could not be decoded. */
  readonly lock: LockFile | undefined;
}

export class RepositoryLock {
  readonly exclusive: boolean;
  readonly #access: LockAccess;
  readonly #timer: NodeJS.Timeout;
  #name: string;
  #refreshedAtMs: number;
  #refreshing: Promise<void> = Promise.resolve();
  #lost = false;

  private constructor(access: LockAccess, exclusive: boolean, name: string, timeMs: number) {
    this.#access = access;
    this.exclusive = exclusive;
    this.#name = name;
    this.#refreshedAtMs = timeMs;
    this.#timer = setInterval(() => {
      this.#refreshing = this.#refresh();
    }, refreshMs);
    this.#timer.unref();
  }

  /**
   * Takes the lock, waiting up to `waitMs` for others to end. Locks of this machine whose process is gone
   * are removed. Rejects with REPOSITORY_LOCKED naming the holder.
   */
  static async acquire(access: LockAccess, options: LockOptions): Promise<RepositoryLock> {
    const lock = await RepositoryLock.begin(access, options);
    await lock.confirm(options.signal);
    return lock;
  }

  /**
   * The first half of `acquire`: the lock file is written. Reading may begin; nothing may be written to the
   * repository before `confirm` has resolved.
   */
  static async begin(access: LockAccess, options: LockOptions): Promise<RepositoryLock> {
    const { exclusive, signal } = options;
    const deadlineMs = Date.now() + options.waitMs;
    for (let delayMs = retryMsMin; ; delayMs = Math.min(delayMs * 2, retryMsMax)) {
      try {
        return await RepositoryLock.#tryBegin(access, exclusive, signal);
      } catch (error) {
        const leftMs = deadlineMs - Date.now();
        if (!isBackstayError(error, "REPOSITORY_LOCKED") || leftMs <= 0) throw error;
        await sleep(Math.min(delayMs, leftMs), undefined, { signal });
      }
    }
  }

  static async #tryBegin(
    access: LockAccess,
    exclusive: boolean,
    signal: AbortSignal,
  ): Promise<RepositoryLock> {
    await refuseConflict(access, exclusive, undefined, signal);
    const timeMs = Date.now();
    const name = await writeLock(access, exclusive, timeMs, signal);
    return new RepositoryLock(access, exclusive, name, timeMs);
  }

  /**
   * The second half of `acquire`: looks again after a moment, in case another session began meanwhile.
   * Rejects with REPOSITORY_LOCKED, the own lock then being released.
   */
  async confirm(signal: AbortSignal): Promise<void> {
    try {
      const leftMs = this.#refreshedAtMs + settleMs - Date.now();
      if (leftMs > 0) await sleep(leftMs, undefined, { signal });
      await refuseConflict(this.#access, this.exclusive, this.#name, signal);
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  /** Rejects with LOCK_LOST unless the lock file is still there and fresh. Call before a snapshot is saved. */
  async assertHeld(signal: AbortSignal): Promise<void> {
    await this.#refreshing;
    const isOld = Date.now() - this.#refreshedAtMs > untrustedAfterMs;
    const size = await this.#access.store.stat({ type: "locks", name: this.#name }, signal);
    if (this.#lost || isOld || size === undefined)
      throw new BackstayError("LOCK_LOST", { lock: this.#name });
  }

  /** Removes the lock file. Never rejects: a file left behind is removed by the next session. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#refreshing;
    try {
      const signal = AbortSignal.timeout(30_000);
      await this.#access.store.remove({ type: "locks", name: this.#name }, signal);
    } catch {
      // The store is out of reach: the lock shows this process, which is about to be gone.
    }
  }

  async #refresh(): Promise<void> {
    const signal = AbortSignal.timeout(refreshMs);
    const { store } = this.#access;
    try {
      // A machine that slept may find its lock removed as stale: then others may have pruned.
      if ((await store.stat({ type: "locks", name: this.#name }, signal)) === undefined) {
        this.#lost = true;
        return;
      }
      const timeMs = Date.now();
      const name = await writeLock(this.#access, this.exclusive, timeMs, signal);
      const old = this.#name;
      this.#name = name;
      this.#refreshedAtMs = timeMs;
      await store.remove({ type: "locks", name: old }, signal);
    } catch {
      // Tried again in five minutes; `assertHeld` looks at the age.
    }
  }
}

/** All locks, decoded where that is possible. Files that vanish meanwhile are left out. */
export async function listLocks(access: LockAccess, signal: AbortSignal): Promise<NamedLock[]> {
  const locks: NamedLock[] = [];
  for await (const { name, size } of access.store.list("locks", signal)) {
    if (size === 0) continue;
    try {
      const stored = await access.store.load({ type: "locks", name }, undefined, signal);
      const json = decodeUnpacked(access.sealer, stored, `locks/${name}`);
      locks.push({ name, lock: decodeLock(json) });
    } catch (error) {
      if (isBackstayError(error, "STORE_NOT_FOUND")) continue;
      if (!isBackstayError(error, "REPOSITORY_DAMAGED")) throw error;
      locks.push({ name, lock: undefined });
    }
  }
  return locks;
}

/** Removes stale locks by restic's rule, or all of them; resolves with their number. */
export async function removeLocks(
  access: LockAccess,
  which: "stale" | "all",
  signal: AbortSignal,
): Promise<number> {
  const self = processIdentity();
  let removed = 0;
  for (const { name, lock } of await listLocks(access, signal)) {
    const stale = lock !== undefined && isStale(lock, self, Date.now(), isProcessAlive);
    if (which === "stale" && !stale) continue;
    await access.store.remove({ type: "locks", name }, signal);
    removed += 1;
  }
  return removed;
}

async function refuseConflict(
  access: LockAccess,
  exclusive: boolean,
  own: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const self = processIdentity();
  for (const { name, lock } of await listLocks(access, signal)) {
    if (name === own) continue;
    if (lock !== undefined) {
      if (isHolderGone(lock, self, Date.now(), isProcessAlive)) {
        await access.store.remove({ type: "locks", name }, signal);
        continue;
      }
      if (!exclusive && !lock.exclusive) continue;
    }
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

async function writeLock(
  access: LockAccess,
  exclusive: boolean,
  timeMs: number,
  signal: AbortSignal,
): Promise<string> {
  const json = encodeLock(processIdentity(), exclusive, timeMs);
  const stored = encodeUnpacked(access.sealer, json, access.version);
  const name = idToHex(sha256(access.sealer.codec, stored));
  await access.store.save({ type: "locks", name }, stored, signal);
  return name;
}
