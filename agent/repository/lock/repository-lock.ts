/**
 * The lock of a session on the repository, by restic's protocol: a shared or an exclusive file in
 * `locks/`, replaced by a fresh one every five minutes.
 *
 * L1. A lock file is written, then the others are read; a conflict found then takes the own file back.
 * L2. A refresh writes the new file before it removes the old one, and looks before and after whether the old one
 *     is there: as long as one of ours was there all the time, nobody else can have passed.
 * L3. `assertHeld` fails once the file is gone; nothing may be written then.
 * L4. Every file that may have been written is remembered until it is certainly removed.
 */
import { outliveHangUp } from "../../../platform/hang-up.ts";
import { processIdentity } from "../../../platform/process-identity.ts";
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import { sha256 } from "../crypto/sealed-bytes.ts";
import { idToHex } from "../id.ts";
import { encodeUnpacked } from "../unpacked-file.ts";
import { encodeLock, staleAfterMs } from "./lock-file.ts";
import { type LockAccess, refuseConflict } from "./lock-list.ts";

const refreshMs = 5 * 60 * 1000;
/** After a refresh that failed. */
const refreshAgainMs = 60 * 1000;
/** How long one refresh may take. */
const refreshTimeoutMs = 2 * 60 * 1000;
const releaseTimeoutMs = 30 * 1000;
/** After this long without a refresh the lock is refreshed before anything is written (restic: 30 min less 1.5 refreshes). */
const untrustedAfterMs = staleAfterMs - 1.5 * refreshMs;
const settleMs = 200;
const retryMsMin = 1000;
const retryMsMax = 30_000;

export interface LockOptions {
  readonly exclusive: boolean;
  /** How long to wait for others to end. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

export class RepositoryLock {
  readonly exclusive: boolean;
  readonly #access: LockAccess;
  readonly #stopping = new AbortController();
  readonly #losing = new AbortController();
  /** Files that may be there and are not wanted any more. */
  readonly #leftovers = new Set<string>();
  readonly #endOutliving = outliveHangUp();
  #name = "";
  #timer: NodeJS.Timeout | undefined;
  /** When the file was written last, by both clocks: one stands still in standby, the other may be set. */
  #refreshedAtMs = { wall: 0, steady: 0 };
  #refreshing: Promise<void> = Promise.resolve();

  private constructor(access: LockAccess, exclusive: boolean) {
    this.#access = access;
    this.exclusive = exclusive;
  }

  /**
   * Takes the lock, waiting up to `waitMs` for others to end. Locks of this machine whose process is gone
   * are removed. Rejects with REPOSITORY_LOCKED naming the holder.
   */
  static async acquire(access: LockAccess, options: LockOptions): Promise<RepositoryLock> {
    return await retryWhileLocked(options, async () => {
      const lock = await RepositoryLock.#tryBegin(access, options);
      await lock.confirm(options.signal);
      return lock;
    });
  }

  /**
   * The first half of `acquire`: the lock file is written. Reading may begin; nothing may be written to the
   * repository before `confirm` has resolved.
   */
  static async begin(access: LockAccess, options: LockOptions): Promise<RepositoryLock> {
    return await retryWhileLocked(options, () => RepositoryLock.#tryBegin(access, options));
  }

  static async #tryBegin(
    access: LockAccess,
    { exclusive, signal }: LockOptions,
  ): Promise<RepositoryLock> {
    await refuseConflict(access, exclusive, undefined, signal);
    const lock = new RepositoryLock(access, exclusive);
    try {
      await lock.#write(signal);
    } catch (error) {
      await lock.release();
      throw error;
    }
    lock.#schedule(refreshMs);
    return lock;
  }

  /**
   * The second half of `acquire`: looks again after a moment, in case another session began meanwhile.
   * Rejects with REPOSITORY_LOCKED, the own lock then being released.
   */
  async confirm(signal: AbortSignal): Promise<void> {
    try {
      await sleep(this.#refreshedAtMs.steady + settleMs - performance.now(), signal);
      await refuseConflict(this.#access, this.exclusive, this.#name, signal);
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  /** Aborted with LOCK_LOST when a refresh finds the lock file gone. */
  get lost(): AbortSignal {
    return this.#losing.signal;
  }

  /**
   * Rejects with LOCK_LOST if the lock file is gone. A file that was not refreshed for long is refreshed first. Call
   * before an index file or a snapshot is saved: others may have pruned what they would refer to.
   */
  async assertHeld(signal: AbortSignal): Promise<void> {
    await unlessAborted(this.#refreshing, signal);
    const { wall, steady } = this.#refreshedAtMs;
    const ageMs = Math.max(Date.now() - wall, performance.now() - steady);
    this.#losing.signal.throwIfAborted();
    if (ageMs > untrustedAfterMs) {
      this.#refreshing = this.#refresh().catch(() => undefined);
      await unlessAborted(this.#refreshing, signal);
    }
    this.#losing.signal.throwIfAborted();
    if (!(await this.#isThere(this.#name, signal))) throw this.#lose();
  }

  /** Removes the lock file. Never rejects: a file left behind is removed by the next session of this machine. */
  async release(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stopping.abort();
    await this.#refreshing;
    if (this.#name !== "") this.#leftovers.add(this.#name);
    await this.#removeLeftovers(AbortSignal.timeout(releaseTimeoutMs));
    this.#endOutliving();
  }

  #schedule(delayMs: number): void {
    if (this.#stopping.signal.aborted || this.#losing.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#refreshing = this.#refresh().then(
        () => this.#schedule(refreshMs),
        // The store was out of reach. `assertHeld` looks at the age.
        () => this.#schedule(refreshAgainMs),
      );
    }, delayMs);
    this.#timer.unref();
  }

  async #refresh(): Promise<void> {
    const timeout = AbortSignal.timeout(refreshTimeoutMs);
    const signal = AbortSignal.any([timeout, this.#stopping.signal]);
    const old = this.#name;
    // A machine that slept may find its lock removed as stale: then others may have pruned.
    if (!(await this.#isThere(old, signal))) throw this.#lose();
    await this.#write(signal);
    this.#leftovers.add(old);
    // It may have slept while it was writing.
    if (!(await this.#isThere(old, signal))) throw this.#lose();
    await this.#removeLeftovers(signal);
  }

  /** Writes a new file, which is then the lock. */
  async #write(signal: AbortSignal): Promise<void> {
    const { store, sealer, version } = this.#access;
    const now = { wall: Date.now(), steady: performance.now() };
    const json = encodeLock(processIdentity(), this.exclusive, now.wall);
    const stored = encodeUnpacked(sealer, json, version);
    const name = idToHex(sha256(sealer.codec, stored));
    // A save that fails may have left the file all the same.
    this.#leftovers.add(name);
    await store.save({ type: "locks", name }, stored, signal);
    this.#leftovers.delete(name);
    this.#name = name;
    this.#refreshedAtMs = now;
  }

  /** Never rejects; what could not be removed stays remembered. */
  async #removeLeftovers(signal: AbortSignal): Promise<void> {
    for (const name of [...this.#leftovers]) {
      try {
        await this.#access.store.remove({ type: "locks", name }, signal);
        this.#leftovers.delete(name);
      } catch {
        // Tried again at the next refresh and at the release.
      }
    }
  }

  async #isThere(name: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#access.store.stat({ type: "locks", name }, signal)) !== undefined;
  }

  #lose(): BackstayError {
    const error = new BackstayError("LOCK_LOST", { lock: this.#name });
    this.#losing.abort(error);
    return error;
  }
}

async function retryWhileLocked<T>(
  { waitMs, signal }: LockOptions,
  attempt: () => Promise<T>,
): Promise<T> {
  const deadlineMs = performance.now() + waitMs;
  for (let delayMs = retryMsMin; ; delayMs = Math.min(delayMs * 2, retryMsMax)) {
    try {
      return await attempt();
    } catch (error) {
      const leftMs = deadlineMs - performance.now();
      if (!isBackstayError(error, "REPOSITORY_LOCKED") || leftMs <= 0) throw error;
      // Two that wait for each other must not go on meeting.
      await sleep(Math.min(delayMs * (0.75 + Math.random() / 2), leftMs), signal);
    }
  }
}

async function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, delayMs);
  try {
    await unlessAborted(promise, signal);
  } finally {
    clearTimeout(timer);
  }
}

/** What the promise resolves with; rejects with the signal's reason as soon as that is aborted. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
