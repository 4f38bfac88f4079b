/**
 * Machines that ask to join: by a token, once for each key however often they ask; at once, or after an administrator's
 * approval. A lost answer takes no second use of the token and makes no second machine.
 */
import { randomUUIDv7 } from "node:crypto";
import type { Selectable } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import { publicKeyOf } from "../../protocol/control/curve-keys.ts";
import type {
  EnrolmentAnswer,
  EnrolmentPending,
  EnrolmentRequest,
  MachineFacts,
} from "../../protocol/control/enrolment.ts";
import { isTokenProof } from "../../protocol/control/enrolment-token.ts";
import { keyThumbprint } from "../../protocol/control/key-thumbprint.ts";
import type { Tables } from "../database/tables.ts";
import {
  knownRow,
  type Page,
  requireVersion,
  type TenantScope,
  tenantRows,
} from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { type EnrolmentTokenInfo, tokenOf } from "./enrolment-tokens.ts";
import {
  type Admission,
  type AdmissionRule,
  admitMachine,
  lockTenant,
  type MachineRequest,
  replaceMachine,
} from "./machine-admission.ts";
import { isInNetworks } from "./network-blocks.ts";

type RequestRow = Selectable<Tables["enrolment_requests"]>;

/** The agents' API answers 201 with the one, 202 with the other. */
export type EnrolmentOutcome =
  | { readonly kind: "admitted"; readonly answer: EnrolmentAnswer }
  | { readonly kind: "pending"; readonly pending: EnrolmentPending };

/** A machine that asked to join, as people see it. */
export interface EnrolmentInfo {
  readonly id: string;
  readonly tenantId: string;
  /** Null: a clone that asks for an identity of its own. */
  readonly tokenId: string | null;
  readonly forkedFrom: string | null;
  readonly facts: MachineFacts;
  /** Where the request came from. */
  readonly address: string;
  /** Thumbprint of the machine's key: what `backstay status` shows while it waits. */
  readonly keyThumbprint: string;
  readonly state: "pending" | "approved" | "denied";
  readonly agentId: string | null;
  readonly createdMs: number;
  readonly decidedMs: number | null;
  readonly decidedBy: string | null;
  readonly version: number;
}

/** What fleet needs of rooms beside it. */
export interface EnrolmentNeeds {
  /** Public key that machines pin: 32 bytes, base64url. */
  readonly rootKey: () => Promise<string>;
  readonly admission: AdmissionRule;
}

/** What is kept of a request. */
interface KeptRequest {
  readonly machine: MachineRequest;
  readonly address: string;
}

const pollSeconds = 15;

export class Enrolments {
  readonly #ground: ServerGround;
  readonly #needs: EnrolmentNeeds;

  constructor(ground: ServerGround, needs: EnrolmentNeeds) {
    this.#ground = ground;
    this.#needs = needs;
  }

  /**
   * A machine asks, for the first time or again; the caller has verified that the holder of `identityKey` signed it.
   * AGENT_REFUSED: `token-unknown`, `token-expired`, `token-exhausted`, `token-network`, `enrolment-denied`,
   * `licence-exceeded`, `quota-exceeded`, `body-invalid`.
   */
  async enrol(request: EnrolmentRequest, address: string): Promise<EnrolmentOutcome> {
    const { database } = this.#ground;
    const token = await this.#provenToken(request);
    const row = await database.transaction().execute(async (queries) => {
      await lockTenant(queries, token.tenantId);
      const known = await requestOf(queries, token.id, request.identityKey);
      if (known !== undefined) return known;
      const member = token.agentId === null ? await memberBy(queries, token, request) : undefined;
      if (member !== undefined) return member;
      return await this.#firstRequest(queries, token, request, address);
    });
    return await this.outcomeOf(row);
  }

  /** What the machine is told of a request. AGENT_REFUSED: `enrolment-denied`. */
  async outcomeOf(row: Pick<RequestRow, "id" | "state" | "agent_id">): Promise<EnrolmentOutcome> {
    if (row.state === "denied") throw agentRefusal("enrolment-denied");
    if (row.state === "pending" || row.agent_id === null) {
      const reason = "An administrator must approve it.";
      return { kind: "pending", pending: { requestId: row.id, pollSeconds, reason } };
    }
    const agent = await this.#ground.database
      .selectFrom("agents")
      .innerJoin("tenants", "tenants.id", "agents.tenant_id")
      .select(["agents.id", "agents.tenant_id", "tenants.name"])
      .where("agents.id", "=", row.agent_id)
      .executeTakeFirst();
    if (agent === undefined)
      throw agentRefusal("enrolment-denied", "An administrator has removed the machine since.");
    return {
      kind: "admitted",
      answer: {
        agentId: agent.id,
        tenantId: agent.tenant_id,
        tenantName: agent.name,
        rootKey: await this.#needs.rootKey(),
        timeMs: this.#ground.now(),
      },
    };
  }

  async list(
    scope: TenantScope,
    page: Page,
    filter: { state?: EnrolmentInfo["state"] | undefined } = {},
  ): Promise<EnrolmentInfo[]> {
    const rows = await tenantRows(this.#ground.database, "enrolment_requests", scope, page, {
      state: filter.state,
    }).execute();
    return rows.map(infoOf);
  }

  /** RESOURCE_UNKNOWN if there is none that the asker may see. */
  async get(scope: TenantScope, id: string): Promise<EnrolmentInfo> {
    return infoOf(await readRequest(this.#ground.database, scope, id));
  }

  /**
   * Lets the machine in; it learns so when it asks again. RESOURCE_STATE if it was decided before, RESOURCE_CHANGED,
   * AGENT_REFUSED as `enrol`.
   */
  async approve(
    actor: string,
    scope: TenantScope,
    id: string,
    version: number,
  ): Promise<EnrolmentInfo> {
    await this.#ground.database.transaction().execute(async (queries) => {
      const row = await this.#lockedRequest(queries, scope, id, version);
      await this.admit(queries, row, actor);
    });
    return await this.get(scope, id);
  }

  /** Sends the machine away for good. RESOURCE_STATE if it was decided before, RESOURCE_CHANGED. */
  async deny(
    actor: string,
    scope: TenantScope,
    id: string,
    version: number,
  ): Promise<EnrolmentInfo> {
    await this.#ground.database.transaction().execute(async (queries) => {
      const row = await this.#lockedRequest(queries, scope, id, version);
      await this.#decide(queries, row, "denied", null, actor);
      const { tenant_id: tenantId } = row;
      const action = "enrolment.deny";
      const details = { hostName: keptOf(row).machine.facts.hostName };
      await this.#ground.audit.record(queries, { tenantId, actor, action, target: id, details });
    });
    return await this.get(scope, id);
  }

  /** Makes the machine of a request a member, in a transaction that has locked the tenant; the id of the machine. */
  async admit(queries: Queries, row: RequestRow, actor?: string): Promise<string> {
    const { machine, address } = keptOf(row);
    const token = row.token_id === null ? undefined : await tokenRow(queries, row.token_id);
    const admission = await admissionOf(queries, row, token, {
      tenantId: row.tenant_id,
      machine,
      actor,
      details: { address },
    });
    const place = row.forked_from === null ? (token?.agentId ?? null) : null;
    const agentId =
      place === null
        ? await admitMachine(this.#ground, queries, this.#needs.admission, admission)
        : await replaceMachine(this.#ground, queries, place, admission);
    await this.#decide(queries, row, "approved", agentId, actor ?? `agent:${agentId}`);
    return agentId;
  }

  /** The token of the request, if its proof is good. What is wrong with the proof is not told: it may be a guess. */
  async #provenToken(request: EnrolmentRequest): Promise<EnrolmentTokenInfo> {
    const token = await tokenRow(this.#ground.database, request.tokenId);
    if (token === undefined) throw agentRefusal("token-unknown");
    const key = publicKeyOf("ed25519", token.publicKey);
    if (!isTokenProof(request.proof, token.id, request, key)) throw agentRefusal("token-unknown");
    return token;
  }

  async #firstRequest(
    queries: Queries,
    token: EnrolmentTokenInfo,
    request: EnrolmentRequest,
    address: string,
  ): Promise<RequestRow> {
    if (token.revokedMs !== null)
      throw agentRefusal("token-unknown", "The enrolment token was revoked.");
    if (token.expiresMs <= this.#ground.now()) throw agentRefusal("token-expired");
    if (!isInNetworks(address, token.networks)) throw agentRefusal("token-network");
    const { numUpdatedRows } = await queries
      .updateTable("enrolment_tokens")
      .set((row) => ({ uses: row("uses", "+", 1) }))
      .where("id", "=", token.id)
      .whereRef("uses", "<", "uses_max")
      .executeTakeFirst();
    if (numUpdatedRows === 0n) throw agentRefusal("token-exhausted");
    const { proof: _proof, tokenId: _tokenId, version: _version, ...machine } = request;
    const row = newRequest(token.tenantId, { machine, address }, this.#ground.now(), {
      token_id: token.id,
    });
    await queries.insertInto("enrolment_requests").values(row).execute();
    if (token.needsApproval) {
      this.#ground.log.info("A machine waits for approval.", { tenant: token.tenantId, address });
      return row;
    }
    const agentId = await this.admit(queries, row);
    return { ...row, state: "approved", agent_id: agentId };
  }

  async #lockedRequest(
    queries: Queries,
    scope: TenantScope,
    id: string,
    version: number,
  ): Promise<RequestRow> {
    const { tenant_id: tenantId } = await readRequest(queries, scope, id);
    await lockTenant(queries, tenantId);
    const row = await readRequest(queries, scope, id);
    requireVersion("enrolment", row, version);
    if (row.state !== "pending")
      throw new BackstayError("RESOURCE_STATE", { enrolment: id, state: row.state });
    return row;
  }

  async #decide(
    queries: Queries,
    row: RequestRow,
    state: "approved" | "denied",
    agentId: string | null,
    actor: string,
  ): Promise<void> {
    await queries
      .updateTable("enrolment_requests")
      .set({
        state,
        agent_id: agentId,
        decided_ms: this.#ground.now(),
        decided_by: actor,
        version: row.version + 1,
      })
      .where("id", "=", row.id)
      .execute();
  }
}

/** A row of a machine that has just asked. */
export function newRequest(
  tenantId: string,
  kept: KeptRequest,
  nowMs: number,
  source: Partial<Pick<RequestRow, "token_id" | "forked_from">>,
): RequestRow {
  return {
    id: randomUUIDv7(),
    tenant_id: tenantId,
    token_id: null,
    forked_from: null,
    identity_key: kept.machine.identityKey,
    sealing_key: kept.machine.sealingKey,
    request: JSON.stringify(kept),
    state: "pending",
    agent_id: null,
    created_ms: nowMs,
    decided_ms: null,
    decided_by: null,
    version: 1,
    ...source,
  };
}

async function requestOf(
  queries: Queries,
  tokenId: string,
  identityKey: string,
): Promise<RequestRow | undefined> {
  return await queries
    .selectFrom("enrolment_requests")
    .selectAll()
    .where("token_id", "=", tokenId)
    .where("identity_key", "=", identityKey)
    .executeTakeFirst();
}

/** The machine that this key made a member before, by another token: its answer was lost, and somebody pasted a new one. */
async function memberBy(
  queries: Queries,
  token: EnrolmentTokenInfo,
  request: EnrolmentRequest,
): Promise<Pick<RequestRow, "id" | "state" | "agent_id"> | undefined> {
  const agent = await queries
    .selectFrom("agents")
    .select("id")
    .where("identity_key", "=", request.identityKey)
    .where("sealing_key", "=", request.sealingKey)
    .where("tenant_id", "=", token.tenantId)
    .where("status", "!=", "revoked")
    .executeTakeFirst();
  return agent === undefined ? undefined : { id: "", state: "approved", agent_id: agent.id };
}

type AdmissionBase = Omit<Admission, "labels" | "groupIds">;

/** What the token says of a machine; a clone gets what its original has: labels, and the groups that people put it into. */
async function admissionOf(
  queries: Queries,
  { forked_from: original }: RequestRow,
  token: EnrolmentTokenInfo | undefined,
  base: AdmissionBase,
): Promise<Admission> {
  if (original === null) {
    const groupId = token?.groupId ?? null;
    return {
      ...base,
      labels: token?.labels ?? {},
      groupIds: groupId === null ? [] : [groupId],
      details: { ...base.details, enrolmentToken: token?.name ?? null },
    };
  }
  const agent = await queries
    .selectFrom("agents")
    .select("labels")
    .where("id", "=", original)
    .executeTakeFirst();
  const groups = await queries
    .selectFrom("group_members")
    .innerJoin("groups", "groups.id", "group_members.group_id")
    .select("groups.id")
    .where("group_members.agent_id", "=", original)
    .where("groups.kind", "=", "static")
    .execute();
  return {
    ...base,
    labels: JSON.parse(agent?.labels ?? "{}") as Record<string, string>,
    groupIds: groups.map(({ id }) => id),
    details: { ...base.details, forkedFrom: original },
  };
}

async function tokenRow(
  queries: Queries,
  id: string,
): Promise<(EnrolmentTokenInfo & { readonly publicKey: string }) | undefined> {
  const row = await queries
    .selectFrom("enrolment_tokens")
    .selectAll()
    .where("id", "=", id)
    .executeTakeFirst();
  return row === undefined ? undefined : { ...tokenOf(row), publicKey: row.public_key };
}

async function readRequest(queries: Queries, scope: TenantScope, id: string): Promise<RequestRow> {
  let query = queries.selectFrom("enrolment_requests").selectAll().where("id", "=", id);
  if (scope !== null) query = query.where("tenant_id", "=", scope);
  return knownRow("enrolment", id, await query.executeTakeFirst());
}

function keptOf(row: RequestRow): KeptRequest {
  return JSON.parse(row.request) as KeptRequest;
}

function infoOf(row: RequestRow): EnrolmentInfo {
  const { machine, address } = keptOf(row);
  return {
    id: row.id,
    tenantId: row.tenant_id,
    tokenId: row.token_id,
    forkedFrom: row.forked_from,
    facts: machine.facts,
    address,
    keyThumbprint: keyThumbprint(row.identity_key),
    state: row.state,
    agentId: row.agent_id,
    createdMs: row.created_ms,
    decidedMs: row.decided_ms,
    decidedBy: row.decided_by,
    version: row.version,
  };
}
