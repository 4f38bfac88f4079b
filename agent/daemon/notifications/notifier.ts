/**
 * Puts what people should be told into the outbox, for each way that a policy or the agent's configuration names.
 * The same failure is told once a day, not at each retry; messages of a digest wait for each other.
 */
import type { Notifications } from "../../../protocol/policy/policy.ts";
import type { FactStore, OutboxStore } from "../../state/state.ts";
import type { Notice } from "./notice.ts";

/** In the order in which they are documented. */
export const channels = ["mail", "webhook", "ping"] as const;
export type Channel = (typeof channels)[number];

/** As it waits in the outbox, beside the channel. */
export interface OutboxBody {
  readonly notice: Notice;
}

/** Told again after that, ms, if it is still so. */
const repeatMs = 24 * 3_600_000;

interface Told {
  readonly key: string;
  readonly atMs: number;
}

export interface NotifierParts {
  readonly outbox: OutboxStore;
  readonly facts: FactStore;
  readonly nowMs: () => number;
  /** What a policy names, with the configuration's ways where it names none; of the agent itself if empty. */
  readonly waysOf: (policy: string) => Notifications | undefined;
  /** Something waits. */
  readonly onAdded: () => void;
}

export class Notifier {
  readonly #parts: NotifierParts;
  /** When the digest that is open goes out, by channel and policy. */
  readonly #digests = new Map<string, number>();

  constructor(parts: NotifierParts) {
    this.#parts = parts;
  }

  tell(notice: Notice): void {
    const { outbox, nowMs, waysOf, onAdded } = this.#parts;
    const ways = waysOf(notice.policy);
    if (ways === undefined) return;
    for (const channel of channels) {
      if (ways[channel] === undefined || !this.#isWanted(channel, ways, notice)) continue;
      const createdMs = nowMs();
      const dueMs = this.#dueMs(channel, ways, notice.policy, createdMs);
      const body: OutboxBody = { notice };
      outbox.add({ channel, body, createdMs, dueMs });
      onAdded();
    }
  }

  #isWanted(channel: Channel, ways: Notifications, notice: Notice): boolean {
    // Whoever counts pings needs each of them.
    if (channel === "ping") return notice.event !== "condition";
    if (notice.event === "start") return false;
    const { facts, nowMs } = this.#parts;
    const topic = notice.event === "condition" ? notice.key : notice.event;
    const name = `told:${channel}:${notice.policy}:${topic}`;
    const told = facts.get(name) as Told | undefined;
    const wanted = ways[channel]?.on ?? [];
    const isRepeated =
      told?.key === notice.key && nowMs() >= told.atMs && nowMs() - told.atMs < repeatMs;
    if (notice.level === "success") {
      // Who was told of trouble is told of its end, too.
      facts.remove(name);
      return told !== undefined || (notice.event === "end" && wanted.includes("success"));
    }
    if (isRepeated || !wanted.includes(notice.level)) return false;
    const now: Told = { key: notice.key, atMs: nowMs() };
    facts.put(name, now);
    return true;
  }

  /** Messages that come while a digest is open wait for its end; pings never wait. */
  #dueMs(channel: Channel, ways: Notifications, policy: string, nowMs: number): number {
    const { digest } = ways;
    if (digest === undefined || channel === "ping") return nowMs;
    const name = `${channel} ${policy}`;
    const open = this.#digests.get(name);
    if (open !== undefined && open > nowMs && open - nowMs <= digest) return open;
    this.#digests.set(name, nowMs + digest);
    return nowMs + digest;
  }
}

/** What a policy names, and for each kind that it does not name what the configuration does. */
export function mergedWays(own: Notifications | undefined, usual: Notifications): Notifications {
  if (own === undefined) return usual;
  const named = Object.fromEntries(
    Object.entries(own).filter(([, value]) => value !== undefined),
  ) as Partial<Notifications>;
  return { ...usual, ...named, desktop: own.desktop || usual.desktop };
}
