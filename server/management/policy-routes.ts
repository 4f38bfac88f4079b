/** `/api/v1/policies`: what machines back up, and which machines. */
import { z } from "zod";
import {
  newPolicyBody,
  policyAnswer,
  policyBody,
  selectionAnswer,
  selectionBody,
} from "../../protocol/management/policies.ts";
import { principalOf } from "../access/authorise.ts";
import { selectionOf } from "../fleet/agent-selection.ts";
import { requiredVersion } from "../http/entity-tag.ts";
import type { App } from "../http/http-app.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { createRoute, listRoute, replaceRoute, showRoute } from "./resource-routes.ts";
import {
  api,
  forRole,
  idParameters,
  ifMatchHeader,
  namedPageQuery,
  noContent,
  owningTenant,
  queryFlag,
} from "./route-parts.ts";

const tags = ["policies"];
const kind = { path: "policies", tags, answer: policyAnswer };
/** Kept for what the server's schedule may be told one day. */
const serverSchedule = {};

export function policyRoutes(app: App, rooms: ManagementRooms): void {
  const { policies, tenants, ground } = rooms;
  listRoute(app, kind, "Lists policies.", namedPageQuery, policies);
  createRoute(
    app,
    kind,
    "Makes a policy and gives it to groups and machines.",
    newPolicyBody,
    tenants,
    {
      create: async (actor, tenantId, settings) =>
        await policies.create(actor, tenantId, { ...settings, serverSchedule }),
    },
  );
  app.post(
    `${api}/policies/preview`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary:
          "Counts the machines that a policy for these groups and machines would reach. Changes nothing.",
        body: selectionBody,
        response: { 200: selectionAnswer },
      },
    },
    async (request) => {
      const { tenantId, ...selected } = request.body;
      const owner = await owningTenant(tenants, principalOf(request).scope, tenantId);
      return await selectionOf(ground.database, owner, selected);
    },
  );
  showRoute(app, kind, "Shows a policy.", policies);
  replaceRoute(
    app,
    kind,
    "Replaces a policy and whom it is given to. What machines get changes in waves.",
    policyBody,
    {
      replace: async (actor, scope, id, version, { waves, isReduction, ...given }) => {
        const settings = { ...given, serverSchedule };
        return await policies.replace(actor, scope, id, version, settings, { waves, isReduction });
      },
    },
  );
  app.delete(
    `${api}/policies/:id`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Removes a policy. What its machines stored stays.",
        params: idParameters,
        headers: ifMatchHeader,
        querystring: z.object({
          reduction: queryFlag
            .optional()
            .describe(
              "It is meant: else machines refuse to lose more than half of what they back up.",
            ),
        }),
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const version = requiredVersion(request.headers);
      const change = { isReduction: request.query.reduction };
      await policies.remove(actor, scope, request.params.id, version, change);
      return await reply.status(204).send();
    },
  );
}
