/** One lock of a session makes one event, though desktops announce it in up to two ways. */

/** A request and the state that follows it are one lock if they are no further apart. */
const requestMsMax = 30_000;

/**
 * `LockedHint` is the state, as the desktop reports it; `Lock` and `Unlock` are requests to the desktop. Many
 * screen lockers follow requests without ever reporting a state, so a request counts until a state contradicts it.
 */
export class SessionLock {
  #isLocked: boolean;
  /** When a request was last taken for a lock, ms of the monotonic clock. */
  #requestedAtMs: number | undefined;

  constructor(isLocked: boolean) {
    this.#isLocked = isLocked;
  }

  /** The state that the desktop last reported. */
  get isLocked(): boolean {
    return this.#isLocked;
  }

  /** LockedHint has this value now. */
  reported(isLocked: boolean, nowMs: number): "lock" | "unlock" | undefined {
    if (isLocked === this.#isLocked) return undefined;
    this.#isLocked = isLocked;
    const isKnown = isLocked && this.#isRequested(nowMs);
    this.#requestedAtMs = undefined;
    if (isKnown) return undefined;
    return isLocked ? "lock" : "unlock";
  }

  /** Somebody asked for the lock, or for its end. */
  requested(isLocked: boolean, nowMs: number): "lock" | "unlock" | undefined {
    // Where the desktop reports states, the end of the lock is reported as well.
    if (this.#isLocked) return undefined;
    const isRepeated = this.#isRequested(nowMs);
    const wasRequested = this.#requestedAtMs !== undefined;
    this.#requestedAtMs = isLocked ? nowMs : undefined;
    if (isLocked) return isRepeated ? undefined : "lock";
    return wasRequested ? "unlock" : undefined;
  }

  #isRequested(nowMs: number): boolean {
    return this.#requestedAtMs !== undefined && nowMs - this.#requestedAtMs <= requestMsMax;
  }
}
