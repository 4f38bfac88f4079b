/** What keeps a session waiting that nobody asked for by hand: battery, network, the backup window. */
import { windowHold } from "../../protocol/schedule/backup-window.ts";
import type { Hold, SessionRecord } from "../../protocol/session-record.ts";
import type { MachineRules } from "./machine-rules.ts";
import type { PolicyInForce } from "./policy-book.ts";

export interface RunHoldsParts {
  readonly rules: Pick<MachineRules, "hold">;
  readonly inForce: () => ReadonlyMap<string, PolicyInForce>;
  /** Of the machine, IANA name. */
  readonly zone: () => string;
  readonly nowMs: () => number;
}

export class RunHolds {
  readonly #parts: RunHoldsParts;

  constructor(parts: RunHoldsParts) {
    this.#parts = parts;
  }

  /** Before a session starts. One that waited past its window waits for the next one. */
  beforeStart(session: SessionRecord): Hold | undefined {
    const { inForce, zone, nowMs } = this.#parts;
    const found = inForce().get(session.policy);
    if (found === undefined || session.cause.kind === "manual") return undefined;
    return this.always(session) ?? windowHold(found.policy.schedule, zone(), nowMs());
  }

  /** While it runs too. */
  always({ policy, cause }: SessionRecord): Hold | undefined {
    const found = this.#parts.inForce().get(policy);
    return found === undefined || cause.kind === "manual"
      ? undefined
      : this.#parts.rules.hold(found.policy);
  }
}
