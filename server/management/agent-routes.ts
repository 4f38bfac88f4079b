/** `/api/v1/agents`: the machines, what is known of them, and their membership. */
import { z } from "zod";
import { type AgentStatus, agentStatus } from "../../protocol/control/reports.ts";
import {
  type AgentAnswer,
  type AgentConditionsAnswer,
  type AgentPoliciesAnswer,
  agentAnswer,
  agentConditionsAnswer,
  agentLabelsBody,
  agentPoliciesAnswer,
  agentStatuses,
} from "../../protocol/management/agents.ts";
import { resourceId } from "../../protocol/management/resource.ts";
import { principalOf } from "../access/authorise.ts";
import type { Agent } from "../fleet/agents.ts";
import { requiredVersion } from "../http/entity-tag.ts";
import type { App } from "../http/http-app.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { actionRoute, listRoute, removeRoute, showRoute } from "./resource-routes.ts";
import {
  api,
  forRole,
  idParameters,
  ifMatchHeader,
  namedPageQuery,
  queryFlag,
  tagged,
} from "./route-parts.ts";

const tags = ["agents"];
const kind = { path: "agents", tags, answer: agentAnswer };

/** `site:berlin`; the value may hold colons, the name may not. */
const labelFilter = z
  .string()
  .max(330)
  .regex(/^[^:]+:/, "must be NAME:VALUE, or NAME:* for any value");

const agentQuery = namedPageQuery.extend({
  groupId: resourceId.optional(),
  label: z
    .union([labelFilter, z.array(labelFilter).max(20)])
    .optional()
    .describe("NAME:VALUE, or NAME:* for any value; may be given several times."),
  health: z.enum(["ok", "warning", "error", "critical"]).optional(),
  status: z.enum(agentStatuses).optional(),
  overdue: queryFlag.optional(),
  silentSinceMs: z.coerce.number().int().min(0).optional().describe("Not heard of since."),
});

export function agentRoutes(app: App, rooms: ManagementRooms): void {
  const { agents } = rooms;
  listRoute(app, kind, "Lists machines.", agentQuery, {
    list: async (scope, page, { label, ...filter }) => {
      const labels = Object.fromEntries(
        [label ?? []]
          .flat()
          .map((text) => [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 1)]),
      );
      return await withStates(rooms, await agents.list(scope, page, { ...filter, labels }));
    },
  });
  showRoute(app, kind, "Shows a machine.", {
    get: async (scope, id) => await withState(rooms, await agents.get(scope, id)),
  });
  membershipRoutes(app, rooms);
  lastStatusRoutes(app, rooms);
}

function membershipRoutes(app: App, rooms: ManagementRooms): void {
  const { agents } = rooms;
  app.put(
    `${api}/agents/:id/labels`,
    {
      ...forRole("operator"),
      schema: {
        tags,
        summary: "Replaces the labels of a machine. Its groups follow.",
        params: idParameters,
        headers: ifMatchHeader,
        body: agentLabelsBody,
        response: { 200: agentAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const version = requiredVersion(request.headers);
      const { labels } = request.body;
      const changed = await agents.setLabels(actor, scope, request.params.id, version, labels);
      return tagged(reply, await withState(rooms, changed));
    },
  );
  removeRoute(
    app,
    kind,
    "Forgets a machine. Its backups, their passwords and its reports stay.",
    agents,
  );
  for (const [verb, status, role, summary] of [
    ["suspend", "suspended", "operator", "Takes nothing from a machine until it is resumed."],
    ["resume", "active", "operator", "Ends a suspension."],
    [
      "revoke",
      "revoked",
      "admin",
      "Ends a machine's membership; only a new enrolment brings it back.",
    ],
  ] as const)
    actionRoute(app, kind, verb, role, summary, async ({ actor, scope }, id) =>
      withState(rooms, await agents.setStatus(actor, scope, id, status)),
    );
}

/** What a machine last said of itself. */
function lastStatusRoutes(app: App, { agents }: ManagementRooms): void {
  app.get(
    `${api}/agents/:id/conditions`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Shows what a machine says is wrong.",
        params: idParameters,
        response: { 200: agentConditionsAnswer },
      },
    },
    async (request): Promise<AgentConditionsAnswer> => {
      const status = statusOf(
        await agents.lastStatus(principalOf(request).scope, request.params.id),
      );
      return {
        health: status?.health ?? "",
        statusMs: status?.timeMs ?? null,
        conditions: status?.conditions ?? [],
      };
    },
  );
  app.get(
    `${api}/agents/:id/policies`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary:
          "Shows the policies in force on a machine, as it last said: state, next run, effective values.",
        params: idParameters,
        response: { 200: agentPoliciesAnswer },
      },
    },
    async (request): Promise<AgentPoliciesAnswer> => {
      const { id } = request.params;
      const status = statusOf(await agents.lastStatus(principalOf(request).scope, id));
      return {
        agentId: id,
        statusMs: status?.timeMs ?? null,
        bundle: status?.bundle ?? null,
        policies: status?.policies ?? [],
      };
    },
  );
}

async function withState(rooms: ManagementRooms, agent: Agent): Promise<AgentAnswer> {
  const [answer] = await withStates(rooms, [agent]);
  return answer;
}

/** Machines with how each is, by the one place that decides that. */
async function withStates(
  { states }: ManagementRooms,
  found: readonly Agent[],
): Promise<AgentAnswer[]> {
  const standings = await states.of(
    null,
    found.map(({ id }) => id),
  );
  const known = new Map(standings.map((each) => [each.agentId, each]));
  return found.map((agent) => {
    const { state = "waiting", reason = "" } = known.get(agent.id) ?? {};
    return { ...agent, state, reason };
  });
}

/** Statuses were checked when they came; one of another version of the server may still be unreadable. */
function statusOf(stored: unknown): AgentStatus | undefined {
  return agentStatus.safeParse(stored).data;
}
