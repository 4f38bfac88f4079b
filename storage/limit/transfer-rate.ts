/** A limit of bytes a second, shared by all who transfer. */
import type { Clock } from "../../platform/ports/clock.ts";

/** Unused allowance of this long may be used at once. */
const burstMs = 1000;

/**
 * Who wants to transfer reserves a stretch of time on one line and waits until it begins, so that everybody
 * gets his turn in the order of asking and a piece may be of any size.
 */
export class TransferRate {
  readonly #bytesPerMs: number;
  readonly #clock: Clock;
  #freeAtMs: number;

  /** `bytesPerSecond` above 0; Infinity never waits. */
  constructor(bytesPerSecond: number, clock: Clock) {
    if (!(bytesPerSecond > 0)) throw new RangeError("a transfer rate must be above 0");
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#clock = clock;
    this.#freeAtMs = clock.monotonic() - burstMs;
  }

  /** Resolves when a transfer of `bytes` may begin. A wait that is aborted uses nothing up. */
  async wait(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const beginMs = this.#reserve(bytes);
    const delayMs = beginMs - this.#clock.monotonic();
    if (delayMs <= 0) return;
    try {
      await this.#clock.sleep(delayMs, signal);
    } catch (error) {
      this.#freeAtMs -= bytes / this.#bytesPerMs;
      throw error;
    }
  }

  /** Counts bytes that could not wait, or whose number was known only after; later ones wait longer. */
  count(bytes: number): void {
    this.#reserve(bytes);
  }

  #reserve(bytes: number): number {
    const beginMs = Math.max(this.#freeAtMs, this.#clock.monotonic() - burstMs);
    this.#freeAtMs = beginMs + bytes / this.#bytesPerMs;
    return beginMs;
  }
}
