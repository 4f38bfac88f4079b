/** Who an agent is, for each of its requests: its key and whether it may ask, kept in memory for a few seconds. */
import type { KeyObject } from "node:crypto";
import { publicKeyOf } from "../../protocol/control/curve-keys.ts";
import type { Fingerprint } from "../../protocol/control/machine-fingerprint.ts";
import type { Tables } from "../database/tables.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import { evidenceOf } from "./conflict-evidence.ts";

export interface AgentIdentity {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly status: Tables["agents"]["status"];
  /** Public Ed25519 key. */
  readonly key: KeyObject;
  /** Of the machine as it was enrolled. */
  readonly fingerprint: Fingerprint;
  readonly generation: number;
  /** True while two machines use the identity: only the one that was enrolled may. */
  readonly isContested: boolean;
}

/** So long a revocation may take to reach a replica, ms. */
const keptMs = 5000;
const agentsMax = 10_000;

export class AgentIdentities {
  readonly #ground: ServerGround;
  readonly #kept = new Map<
    string,
    { readonly identity: AgentIdentity; readonly untilMs: number }
  >();

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  /** Undefined if there is no such agent. At most 5 s old. */
  async find(agentId: string): Promise<AgentIdentity | undefined> {
    const nowMs = this.#ground.now();
    const kept = this.#kept.get(agentId);
    if (kept !== undefined && kept.untilMs > nowMs && kept.untilMs <= nowMs + keptMs)
      return kept.identity;
    const identity = await this.#read(agentId);
    this.#kept.delete(agentId);
    if (identity !== undefined) this.#kept.set(agentId, { identity, untilMs: nowMs + keptMs });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= agentsMax) break;
      this.#kept.delete(oldest);
    }
    return identity;
  }

  /** Reads it anew next time. */
  forget(agentId: string): void {
    this.#kept.delete(agentId);
  }

  async #read(agentId: string): Promise<AgentIdentity | undefined> {
    const { database } = this.#ground;
    const row = await database
      .selectFrom("agents")
      .select(["id", "tenant_id", "name", "status", "identity_key", "fingerprint", "generation"])
      .select((select) =>
        select
          .selectFrom("identity_conflicts")
          .select("identity_conflicts.evidence")
          .whereRef("identity_conflicts.agent_id", "=", "agents.id")
          .where("identity_conflicts.state", "=", "open")
          .orderBy("identity_conflicts.id", "desc")
          .limit(1)
          .as("conflict"),
      )
      .where("id", "=", agentId)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    return {
      id: row.id,
      tenantId: row.tenant_id,
      name: row.name,
      status: row.status,
      key: publicKeyOf("ed25519", row.identity_key),
      fingerprint: JSON.parse(row.fingerprint) as Fingerprint,
      generation: row.generation,
      isContested: row.conflict !== null && evidenceOf(row.conflict).isDecided,
    };
  }
}
