/**
 * System events without the locks that only mean that the machine goes to sleep: a run that such a lock starts would be
 * cut off at once. They are told after the machine woke up, unless it slept for long.
 */
import type { Clock } from "../../platform/ports/clock.ts";
import type { Probe, SystemEvent, SystemEvents } from "../../platform/ports/system-events.ts";

/** Sleep that follows a lock within this time caused it. */
const settleMs = 700;
/** A lock so soon after waking up still belongs to the sleep: the process stood still too. */
const afterResumeMs = 3_000;
/** After a longer sleep nobody expects the backup of that lock any more. */
const sleepMsMax = 15 * 60_000;

export class SleepLocks implements SystemEvents {
  readonly #events: SystemEvents;
  readonly #clock: Clock;
  #ended = new AbortController();
  #emit: (event: SystemEvent) => void = () => undefined;
  /** Locks that may belong to a sleep. */
  #held: SystemEvent[] = [];
  /** By the wall clock, which goes on in sleep: when the machine went to sleep, and when it woke up. */
  #sleptAtMs: number | undefined;
  #resumedAtMs = Number.NEGATIVE_INFINITY;
  #lastSleepMs = 0;

  constructor(events: SystemEvents, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
  }

  async start(emit: (event: SystemEvent) => void): Promise<ReadonlyMap<string, Probe>> {
    this.#ended = new AbortController();
    this.#emit = emit;
    return await this.#events.start((event) => this.#take(event));
  }

  async isLocked(): Promise<boolean | undefined> {
    return await this.#events.isLocked();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    this.#held = [];
    await this.#events.stop();
  }

  #take(event: SystemEvent): void {
    if (event.kind === "lock") {
      this.#lock(event);
      return;
    }
    if (event.kind === "sleep") this.#sleptAtMs = this.#clock.now();
    this.#emit(event);
    if (event.kind === "resume") this.#resumed();
  }

  #lock(event: SystemEvent): void {
    const sinceResumeMs = this.#clock.now() - this.#resumedAtMs;
    if (sinceResumeMs >= 0 && sinceResumeMs < afterResumeMs) {
      if (this.#lastSleepMs <= sleepMsMax) this.#emit(event);
      return;
    }
    this.#held.push(event);
    if (this.#sleptAtMs === undefined) void this.#settle(event);
  }

  async #settle(event: SystemEvent): Promise<void> {
    try {
      await this.#clock.sleep(settleMs, this.#ended.signal);
    } catch {
      return;
    }
    if (this.#sleptAtMs !== undefined || !this.#held.includes(event)) return;
    this.#held = this.#held.filter((other) => other !== event);
    this.#emit(event);
  }

  #resumed(): void {
    const nowMs = this.#clock.now();
    // Without a word before the sleep nothing is known of its length, as long as a lock may have been for it.
    this.#lastSleepMs = this.#sleptAtMs === undefined ? 0 : nowMs - this.#sleptAtMs;
    this.#sleptAtMs = undefined;
    this.#resumedAtMs = nowMs;
    const held = this.#held;
    this.#held = [];
    if (this.#lastSleepMs <= sleepMsMax) for (const event of held) this.#emit(event);
  }
}
