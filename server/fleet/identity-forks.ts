/**
 * Machines that ask whether their identity is theirs: a copy gets one of its own, but only once the enrolled machine was
 * heard of beside it. A machine that was only rebuilt, with nobody else using its identity, keeps it.
 */
import type { Selectable } from "kysely";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import { publicKeyOf } from "../../protocol/control/curve-keys.ts";
import type { EnrolmentPending, ForkRequest } from "../../protocol/control/enrolment.ts";
import { isForkProof } from "../../protocol/control/enrolment-token.ts";
import { areTwoMachines, type Fingerprint } from "../../protocol/control/machine-fingerprint.ts";
import type { Tables } from "../database/tables.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import type { AgentIdentities, AgentIdentity } from "./agent-identities.ts";
import { lateRequestMs, type SeenRun } from "./conflict-evidence.ts";
import { type EnrolmentOutcome, type Enrolments, newRequest } from "./enrolments.ts";
import { runOf, settleConflicts } from "./identity-conflicts.ts";
import { lockTenant } from "./machine-admission.ts";

type RequestRow = Selectable<Tables["enrolment_requests"]>;

/** What the asker says of itself with the request. */
export interface ForkAsker {
  readonly identity: AgentIdentity;
  /** Of the machine as it is now, comparable with the enrolled one. */
  readonly fingerprint: Fingerprint;
  readonly address: string;
}

/** Three polls: an enrolled machine that is on has been heard of by then. */
const doubtMs = 15 * 60_000;
const pollSeconds = 30;

export class IdentityForks {
  readonly #ground: ServerGround;
  readonly #enrolments: Enrolments;
  readonly #identities: AgentIdentities;

  constructor(ground: ServerGround, enrolments: Enrolments, identities: AgentIdentities) {
    this.#ground = ground;
    this.#enrolments = enrolments;
    this.#identities = identities;
  }

  /**
   * Answers a machine that asks, for the first time or again. Admitted with the id that it has: it keeps its identity.
   * AGENT_REFUSED: `body-invalid`, `enrolment-denied`, `licence-exceeded`, `quota-exceeded`.
   */
  async ask(asker: ForkAsker, request: ForkRequest): Promise<EnrolmentOutcome> {
    const { identity } = asker;
    const newKey = publicKeyOf("ed25519", request.identityKey);
    if (!isForkProof(request.proof, identity.id, request, newKey))
      throw agentRefusal("body-invalid", "The proof of the new key is not good.");
    const result = await this.#ground.database.transaction().execute(async (queries) => {
      await lockTenant(queries, identity.tenantId);
      const row = await this.#requestOf(queries, asker, request);
      return row.state === "pending" ? await this.#decide(queries, asker, row) : row;
    });
    this.#identities.forget(identity.id);
    if ("pollSeconds" in result) return { kind: "pending", pending: result };
    return await this.#enrolments.outcomeOf(result);
  }

  async #requestOf(queries: Queries, asker: ForkAsker, request: ForkRequest): Promise<RequestRow> {
    const known = await queries
      .selectFrom("enrolment_requests")
      .selectAll()
      .where("forked_from", "=", asker.identity.id)
      .where("identity_key", "=", request.identityKey)
      .executeTakeFirst();
    if (known !== undefined) return known;
    const { proof: _proof, version: _version, ...machine } = request;
    const kept = { machine, address: asker.address };
    const row = newRequest(asker.identity.tenantId, kept, this.#ground.now(), {
      forked_from: asker.identity.id,
    });
    await queries.insertInto("enrolment_requests").values(row).execute();
    return row;
  }

  async #decide(
    queries: Queries,
    { identity, fingerprint }: ForkAsker,
    row: RequestRow,
  ): Promise<RequestRow | EnrolmentPending> {
    const isForeign = areTwoMachines(identity.fingerprint, fingerprint);
    if (isForeign && (await this.#isOriginalAlive(queries, identity, fingerprint, row))) {
      if (await needsApproval(queries, identity.id))
        return pending(row, "An administrator must approve the identity of this copy.");
      const agentId = await this.#enrolments.admit(queries, row);
      await settleConflicts(queries, identity.id, "forked", this.#ground);
      return { ...row, state: "approved", agent_id: agentId };
    }
    const isOver = this.#ground.now() - row.created_ms >= doubtMs;
    if (isForeign && !isOver)
      return pending(row, "It is being seen whether another machine uses the identity.");
    return await this.#keep(queries, identity, row);
  }

  /** True if the enrolled machine was heard of after this one had appeared. */
  async #isOriginalAlive(
    queries: Queries,
    identity: AgentIdentity,
    fingerprint: Fingerprint,
    row: RequestRow,
  ): Promise<boolean> {
    const rows = await queries
      .selectFrom("agent_runs")
      .selectAll()
      .where("agent_id", "=", identity.id)
      .execute();
    const runs = rows.map(runOf);
    const isAskers = (run: SeenRun): boolean => !areTwoMachines(run.fingerprint, fingerprint);
    const appearedMs = Math.min(
      row.created_ms,
      ...runs.filter(isAskers).map(({ firstSeenMs }) => firstSeenMs),
    );
    return runs.some(
      (run) =>
        !areTwoMachines(run.fingerprint, identity.fingerprint) &&
        run.lastSeenMs > appearedMs + lateRequestMs,
    );
  }

  /** Nobody else uses it: what looks like another machine was repaired or moved. */
  async #keep(queries: Queries, identity: AgentIdentity, row: RequestRow): Promise<RequestRow> {
    await settleConflicts(queries, identity.id, "dismissed", this.#ground);
    await queries
      .updateTable("enrolment_requests")
      .set({
        state: "approved",
        agent_id: identity.id,
        decided_ms: this.#ground.now(),
        decided_by: "server",
        version: row.version + 1,
      })
      .where("id", "=", row.id)
      .execute();
    await this.#ground.audit.record(queries, {
      tenantId: identity.tenantId,
      actor: "server",
      action: "agent.machine-changed",
      target: identity.id,
    });
    return { ...row, state: "approved", agent_id: identity.id };
  }
}

/** A copy needs approval where its original did. */
async function needsApproval(queries: Queries, agentId: string): Promise<boolean> {
  const row = await queries
    .selectFrom("enrolment_requests")
    .innerJoin("enrolment_tokens", "enrolment_tokens.id", "enrolment_requests.token_id")
    .select("enrolment_tokens.needs_approval")
    .where("enrolment_requests.agent_id", "=", agentId)
    .orderBy("enrolment_requests.id", "desc")
    .executeTakeFirst();
  return row?.needs_approval === 1;
}

function pending(row: RequestRow, reason: string): EnrolmentPending {
  return { requestId: row.id, pollSeconds, reason };
}
