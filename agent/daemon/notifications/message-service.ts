/** Tells people about sessions and conditions, by the ways that policies and the configuration name. */
import type { Clock } from "../../../platform/ports/clock.ts";
import type { Health, HealthReason } from "../../../protocol/local-api/health.ts";
import type { Notifications } from "../../../protocol/policy/policy.ts";
import type { SessionRecord } from "../../../protocol/session-record.ts";
import type { State } from "../../state/state.ts";
import type { HealthBoard } from "../health/health-board.ts";
import { delivery } from "./delivery.ts";
import { conditionNotice, endNotice, startNotice } from "./notice.ts";
import { Notifier } from "./notifier.ts";
import { OutboxSender } from "./outbox-sender.ts";

export interface MessageServiceParts {
  readonly state: Pick<State, "outbox" | "facts">;
  readonly clock: Clock;
  readonly board: HealthBoard;
  /** What a policy (empty: the agent itself) means by a name. */
  readonly secret: (policy: string, name: string) => Promise<Uint8Array>;
  readonly onSecret: (secret: string) => void;
  readonly hostName: string;
  /** True for the name of a policy. */
  readonly isPolicy: (name: string) => boolean;
  readonly waysOf: (policy: string) => Notifications | undefined;
  readonly onFailure: (channel: string, policy: string, problem: string) => void;
}

/** What a session's end says already. */
const toldBySessions: readonly string[] = ["BACKUP_FAILED", "BACKUP_INCOMPLETE"];
/** A message that can't be sent says nothing about messages that can't be sent. */
const neverTold: readonly string[] = [...toldBySessions, "NOTIFICATION_FAILED"];
/** Conditions that were told of, by code and subject, over a restart. */
const fact = "told-conditions";

export class MessageService {
  readonly #parts: MessageServiceParts;
  readonly #notifier: Notifier;
  readonly #sender: OutboxSender;
  #told: ReadonlyMap<string, HealthReason>;

  constructor(parts: MessageServiceParts) {
    this.#parts = parts;
    const { state, clock, waysOf, secret, onSecret, hostName } = parts;
    const nowMs = (): number => clock.now();
    const told = (state.facts.get(fact) as HealthReason[] | undefined) ?? [];
    this.#told = new Map(told.map((reason) => [keyOf(reason), reason]));
    this.#notifier = new Notifier({
      outbox: state.outbox,
      facts: state.facts,
      nowMs,
      waysOf,
      onAdded: () => this.#sender.wake(),
    });
    this.#sender = new OutboxSender({
      outbox: state.outbox,
      clock,
      chance: Math.random,
      waysOf,
      deliver: delivery({ secret, onSecret, hostName, nowMs }),
      onAttempt: (channel, policy, problem) => this.#attempted(channel, policy, problem),
    });
  }

  start(): void {
    this.#sender.start();
  }

  async stop(): Promise<void> {
    await this.#sender.stop();
  }

  /** To be told of each change of a session, after it is in the journal. */
  sessionChanged(session: SessionRecord): void {
    if (session.state === "running") this.#notifier.tell(startNotice(session));
    const notice = session.state === "finished" ? endNotice(session) : undefined;
    if (notice !== undefined) this.#notifier.tell(notice);
  }

  /** To be told how the agent is, whenever that may have changed. */
  healthChanged({ reasons }: Health): void {
    const worth = reasons.filter(
      ({ code, severity }) => severity !== "info" && !neverTold.includes(code),
    );
    const now = new Map(worth.map((reason) => [keyOf(reason), reason]));
    const gone = [...this.#told.values()].filter((reason) => !now.has(keyOf(reason)));
    const come = worth.filter((reason) => !this.#told.has(keyOf(reason)));
    if (gone.length === 0 && come.length === 0) return;
    this.#told = now;
    this.#parts.state.facts.put(fact, worth);
    for (const reason of come) this.#notifier.tell(this.#notice(reason, false));
    for (const reason of gone) this.#notifier.tell(this.#notice(reason, true));
  }

  #notice(reason: HealthReason, isOver: boolean): ReturnType<typeof conditionNotice> {
    const policy = this.#parts.isPolicy(reason.subject) ? reason.subject : "";
    return conditionNotice(reason, policy, isOver);
  }

  #attempted(channel: string, policy: string, problem: string | undefined): void {
    const subject = policy === "" ? channel : `${channel} of ${policy}`;
    const { board, onFailure } = this.#parts;
    board.set("NOTIFICATION_FAILED", subject, problem === undefined ? undefined : { problem });
    if (problem !== undefined) onFailure(channel, policy, problem);
  }
}

function keyOf({ code, subject }: HealthReason): string {
  return `${code} ${subject}`;
}
