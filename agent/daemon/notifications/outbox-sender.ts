/** Sends what waits in the outbox until it has arrived, ever more patiently. */
import type { Clock } from "../../../platform/ports/clock.ts";
import type { Notifications } from "../../../protocol/policy/policy.ts";
import type { OutboxEntry, OutboxStore } from "../../state/state.ts";
import type { Notice } from "./notice.ts";
import { type Channel, channels, type OutboxBody } from "./notifier.ts";

/** Sends notices that belong together, oldest first; rejects if they may not have arrived. */
export type Deliver = (
  channel: Channel,
  ways: Notifications,
  notices: readonly Notice[],
  messageId: string,
  signal: AbortSignal,
) => Promise<void>;

export interface OutboxSenderParts {
  readonly outbox: OutboxStore;
  readonly clock: Clock;
  /** From 0 to below 1, anew each time. */
  readonly chance: () => number;
  readonly waysOf: (policy: string) => Notifications | undefined;
  readonly deliver: Deliver;
  /** Told of each attempt: how it failed, or that it arrived. */
  readonly onAttempt: (channel: string, policy: string, problem: string | undefined) => void;
}

const atOnce = 100;
const attemptMs = 60_000;
const backoff = { firstMs: 30_000, mostMs: 3_600_000 };
/** A timer takes no longer delay; and clocks may be set. */
const restMs = 15 * 60_000;

export class OutboxSender {
  readonly #parts: OutboxSenderParts;
  readonly #ending = new AbortController();
  #rest: AbortController | undefined;
  #work: Promise<void> | undefined;

  constructor(parts: OutboxSenderParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#work ??= this.#run();
  }

  /** Looks again now: something was added. */
  wake(): void {
    this.#rest?.abort();
  }

  /** What is under way is given up and tried again at the next start. */
  async stop(): Promise<void> {
    this.#ending.abort();
    this.#rest?.abort();
    await this.#work;
  }

  async #run(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      const { outbox, clock } = this.#parts;
      this.#rest = new AbortController();
      const due = outbox.due(clock.now(), atOnce);
      await Promise.all(grouped(due).map(async (group) => await this.#send(group)));
      const nextMs = outbox.nextDueMs();
      // Nothing waits: whoever adds something wakes us.
      const waitMs = nextMs === undefined ? undefined : Math.max(0, nextMs - clock.now());
      await this.#sleep(waitMs === undefined ? undefined : Math.min(waitMs, restMs));
    }
  }

  async #send(group: readonly OutboxEntry[]): Promise<void> {
    const { outbox, waysOf, deliver, onAttempt, clock, chance } = this.#parts;
    const [{ id, channel: name }] = group;
    const notices = group.map(({ body }) => (body as OutboxBody).notice);
    const { policy } = notices[0];
    const channel = channels.find((known) => known === name);
    const ways = waysOf(policy);
    // Nobody wants to hear of that policy any more, or not this way.
    if (channel === undefined || ways?.[channel] === undefined) {
      for (const entry of group) outbox.delivered(entry.id);
      onAttempt(name, policy, undefined);
      return;
    }
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(attemptMs)]);
    try {
      await deliver(channel, ways, notices, id, signal);
      for (const entry of group) outbox.delivered(entry.id);
      onAttempt(channel, policy, undefined);
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      const problem = error instanceof Error ? error.message : String(error);
      const attempts = Math.max(...group.map((entry) => entry.attempts));
      const delayMs = Math.min(backoff.mostMs, backoff.firstMs * 2 ** Math.min(attempts, 20));
      const dueMs = clock.now() + Math.round(delayMs * (0.75 + chance() / 2));
      for (const entry of group) outbox.postponed(entry.id, dueMs, problem);
      onAttempt(channel, policy, problem);
    }
  }

  async #sleep(delayMs: number | undefined): Promise<void> {
    const { signal } = this.#rest ?? this.#ending;
    if (delayMs === undefined) {
      if (signal.aborted) return;
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      return;
    }
    try {
      await this.#parts.clock.sleep(delayMs, signal);
    } catch {
      // Woken early.
    }
  }
}

/** Entries of the same channel and policy belong together. */
function grouped(due: readonly OutboxEntry[]): (readonly OutboxEntry[])[] {
  const groups = new Map<string, OutboxEntry[]>();
  for (const entry of due) {
    const key = `${entry.channel} ${(entry.body as OutboxBody).notice.policy}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return [...groups.values()];
}
