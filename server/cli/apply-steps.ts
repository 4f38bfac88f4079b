/** Does the steps of a plan: each is one request, which the server does wholly or not at all. */
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { agentLabelsBody } from "../../protocol/management/agents.ts";
import type { PlannedStep } from "./apply-plan.ts";
import { type Declaration, nameOf } from "./declarations.ts";
import { type FleetReader, kindPaths } from "./fleet-reader.ts";
import type { ManagementClient } from "./management-client.ts";

export interface ApplyChoices {
  /** Changes of policies reach every machine with its next poll, not in waves. */
  readonly isAtOnce: boolean;
  /** It is meant that machines back up less, or nothing. */
  readonly isReduction: boolean;
}

/**
 * Does one step that is not `keep`; resolves with what the server answers. Names are looked up now, as steps before may
 * have made what they stand for. Rejects with the server's refusal and the place of the document.
 */
export async function doStep(
  client: ManagementClient,
  reader: FleetReader,
  step: PlannedStep,
  choices: ApplyChoices,
): Promise<unknown> {
  const { declaration, place } = step;
  try {
    const body = await bodyOf(reader, step, choices);
    const answer = await send(client, step, body);
    reader.forget(declaration.kind);
    return answer;
  } catch (error) {
    if (!isBackstayError(error)) throw error;
    const about = { document: place, [declaration.kind]: nameOf(declaration) };
    throw new BackstayError(error.code, { ...about, ...error.context }, error);
  }
}

async function send(
  client: ManagementClient,
  { declaration, standing }: PlannedStep,
  body: object,
): Promise<unknown> {
  if (declaration.kind === "licence") return (await client.post("/api/v1/licence", body)).body;
  const path = kindPaths[declaration.kind];
  if (standing === undefined) return (await client.post(path, body)).body;
  const { id, version } = standing;
  const target = declaration.kind === "agent" ? `${path}/${id}/labels` : `${path}/${id}`;
  return (await client.put(target, `"${version}"`, body)).body;
}

/** Of a PUT if the server has it, else of a POST. */
async function bodyOf(
  reader: FleetReader,
  { declaration, standing }: PlannedStep,
  { isAtOnce, isReduction }: ApplyChoices,
): Promise<object> {
  if (declaration.kind === "tenant" || declaration.kind === "licence") {
    const { kind: _kind, ...body } = declaration;
    return body;
  }
  const tenantId = await ownerId(reader, declaration);
  const owner = standing === undefined ? { tenantId } : {};
  const idsOf = async (kind: "agent" | "group", names: readonly string[]): Promise<string[]> =>
    (await Promise.all(names.map((name) => reader.idsOf(kind, tenantId, name)))).flat();
  switch (declaration.kind) {
    case "repository": {
      const { name, routes, members, modes, quotas } = declaration;
      const pool = members.length > 0 ? { members } : {};
      return { ...owner, name, routes, ...pool, modes, quotas };
    }
    case "agent":
      return agentLabelsBody.parse({ labels: declaration.labels });
    case "group": {
      const { name, selector, agents } = declaration;
      const agentIds = agents === undefined ? undefined : await idsOf("agent", agents);
      return { ...owner, name, selector, agentIds };
    }
    case "policy": {
      const { document, managedBy, groups, agents } = declaration;
      const groupIds = await idsOf("group", groups);
      const agentIds = await idsOf("agent", agents);
      const change = standing === undefined ? {} : { isReduction, ...(isAtOnce && { waves: [] }) };
      return { ...owner, document, managedBy, groupIds, agentIds, ...change };
    }
    case "enrolment-token": {
      const { kind: _kind, tenant: _tenant, group, agent, ...settings } = declaration;
      const [groupId = null] = await idsOf("group", group === null ? [] : [group]);
      const [agentId = null] = await idsOf("agent", agent === null ? [] : [agent]);
      return { ...owner, ...settings, groupId, agentId };
    }
  }
}

async function ownerId(
  reader: FleetReader,
  { tenant = "" }: Exclude<Declaration, { kind: "tenant" | "licence" }>,
): Promise<string> {
  const found = (await reader.tenants()).find(({ name }) => name === tenant);
  if (found === undefined) throw new BackstayError("RESOURCE_UNKNOWN", { tenant });
  return found.id;
}
