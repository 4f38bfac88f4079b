/**
 * Recovery passwords on their way to the server. An engine makes one and tells it once; here it is sealed at once to the
 * tenant's recovery key, kept sealed, and sent until the server has it.
 */
import { z } from "zod";
import { agentApi } from "../../../protocol/control/agent-api.ts";
import { sealRecovery } from "../../../protocol/control/recovery-key.ts";
import type { EscrowDeposit } from "../../../protocol/control/reports.ts";
import type { RepositoryOrder } from "../../../protocol/run-order.ts";
import type { BundleInForce } from "../../control/bundle-in-force.ts";
import type { ServerCalls } from "../../control/server-calls.ts";
import type { FactStore } from "../../state/state.ts";

/** Where they are kept in the state. */
export const depositsFact = "recovery-deposits";
const deposits = z.record(
  z.string(),
  z.object({
    recoveryKeyId: z.string(),
    keyName: z.string(),
    sealed: z.string(),
    isDelivered: z.boolean(),
  }),
);
type Deposits = z.output<typeof deposits>;

export class RecoveryDeposits {
  readonly #facts: FactStore;
  readonly #agentId: string;
  #known: Deposits;

  constructor(facts: FactStore, agentId: string) {
    this.#facts = facts;
    this.#agentId = agentId;
    this.#known = deposits.safeParse(facts.get(depositsFact)).data ?? {};
  }

  /** What an order is to ask for: nothing if there is one already for the key that counts now, or none is wanted. */
  wanted(
    repositoryId: string,
    recoveryKey: BundleInForce["recoveryKey"],
  ): RepositoryOrder["recovery"] {
    if (recoveryKey === undefined) return undefined;
    const known = this.#known[repositoryId];
    if (known === undefined) return {};
    return known.recoveryKeyId === recoveryKey.id ? undefined : { replaces: known.keyName };
  }

  /** Seals and keeps one that was made just now; durable when it returns. KEY_INVALID. */
  add(
    repositoryId: string,
    recoveryKey: NonNullable<BundleInForce["recoveryKey"]>,
    keyName: string,
    password: string,
  ): void {
    const secret = { agentId: this.#agentId, repositoryId, keyName, password };
    const sealed = sealRecovery(secret, recoveryKey.key);
    const deposit = { recoveryKeyId: recoveryKey.id, keyName, sealed, isDelivered: false };
    this.#put({ ...this.#known, [repositoryId]: deposit });
  }

  /** Sends what the server does not have yet. Rejects as the link does; the rest is sent the next time. */
  async send(link: ServerCalls, signal: AbortSignal): Promise<void> {
    for (const [repositoryId, { isDelivered, ...deposit }] of Object.entries(this.#known)) {
      if (isDelivered) continue;
      const body: EscrowDeposit = { repositoryId, ...deposit };
      await link.call({ method: "POST", path: agentApi.escrow, body, signal });
      // It may have been made anew meanwhile.
      if (this.#known[repositoryId]?.sealed === deposit.sealed)
        this.#put({ ...this.#known, [repositoryId]: { ...deposit, isDelivered: true } });
    }
  }

  get areAllDelivered(): boolean {
    return Object.values(this.#known).every(({ isDelivered }) => isDelivered);
  }

  #put(known: Deposits): void {
    this.#known = known;
    this.#facts.put(depositsFact, known);
  }
}
