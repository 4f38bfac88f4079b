/** `/api/v1/sessions`, `/events`, `/overview`: what machines have reported, and how the fleet is. */
import { z } from "zod";
import { resourceId } from "../../protocol/management/resource.ts";
import {
  overviewAnswer,
  protectionAnswer,
  reportedAnswer,
} from "../../protocol/management/sessions.ts";
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import { keyOf } from "../reports/reported-sessions.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { listRoute } from "./resource-routes.ts";
import { api, forRole, idParameters, narrowedScope, tenantPageQuery } from "./route-parts.ts";

const timeOfQuery = z.coerce.number().int().min(0).optional();

const reportQuery = tenantPageQuery.extend({
  agentId: resourceId.optional(),
  policy: z.string().max(200).optional(),
  outcome: z.string().max(50).optional(),
  fromMs: timeOfQuery,
  untilMs: timeOfQuery.describe("Before that moment."),
});

const reportedParameters = z.object({ id: z.string().min(1).max(220) });

export function sessionRoutes(app: App, rooms: ManagementRooms): void {
  const { reported } = rooms;
  for (const [kind, path] of [
    ["session", "sessions"],
    ["event", "events"],
  ] as const) {
    listRoute(
      app,
      { path, tags: [path], answer: reportedAnswer },
      `Lists ${path} that machines have reported, newest first.`,
      reportQuery,
      { list: async (scope, page, filter) => await reported.list(kind, scope, page, filter) },
      keyOf,
    );
    app.get(
      `${api}/${path}/:id`,
      {
        ...forRole("read-only"),
        schema: {
          tags: [path],
          summary: `Shows one of the ${path}.`,
          params: reportedParameters,
          response: { 200: reportedAnswer },
        },
      },
      async (request) => await reported.get(kind, principalOf(request).scope, request.params.id),
    );
  }
  overviewRoutes(app, rooms);
}

function overviewRoutes(app: App, rooms: ManagementRooms): void {
  const { states, agents, ground } = rooms;
  app.get(
    `${api}/overview`,
    {
      ...forRole("read-only"),
      schema: {
        tags: ["overview"],
        summary: "Counts machines by how they are.",
        querystring: z.object({ tenantId: resourceId.optional() }),
        response: { 200: overviewAnswer },
      },
    },
    async (request) => {
      const scope = narrowedScope(principalOf(request).scope, request.query.tenantId);
      const countOf = async (
        table: "enrolment_requests" | "identity_conflicts",
        state: "pending" | "open",
      ) => {
        let query = ground.database
          .selectFrom(table)
          .select(({ fn }) => fn.countAll<number>().as("count"))
          .where("state", "=", state);
        if (scope !== null) query = query.where("tenant_id", "=", scope);
        return Number((await query.executeTakeFirstOrThrow()).count);
      };
      return {
        ...(await states.overview(scope)),
        requestsPending: await countOf("enrolment_requests", "pending"),
        conflictsOpen: await countOf("identity_conflicts", "open"),
      };
    },
  );
  app.get(
    `${api}/agents/:id/protection`,
    {
      ...forRole("read-only"),
      schema: {
        tags: ["agents"],
        summary: "Shows how each policy of a machine stands, by the server's own view.",
        params: idParameters,
        response: { 200: protectionAnswer },
      },
    },
    async (request) => {
      const { scope } = principalOf(request);
      const { id } = await agents.get(scope, request.params.id);
      return { items: await states.protection(scope, id), nextCursor: null };
    },
  );
}
