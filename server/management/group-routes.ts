/** `/api/v1/groups`: protection groups and their members. */
import {
  groupAnswer,
  groupBody,
  groupMember,
  groupMembersBody,
  newGroupBody,
  selectorPreviewBody,
} from "../../protocol/management/groups.ts";
import { selectionAnswer } from "../../protocol/management/policies.ts";
import { pageOf as listOf } from "../../protocol/management/resource.ts";
import { principalOf } from "../access/authorise.ts";
import { selectionBy } from "../fleet/agent-selection.ts";
import type { App } from "../http/http-app.ts";
import { pageAnswer, pageOf, pageQuery } from "../http/page-cursor.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { createRoute, listRoute, removeRoute, replaceRoute, showRoute } from "./resource-routes.ts";
import {
  api,
  forRole,
  idempotencyHeader,
  idParameters,
  namedPageQuery,
  noContent,
  owningTenant,
} from "./route-parts.ts";

const tags = ["groups"];
const kind = { path: "groups", tags, answer: groupAnswer };

export function groupRoutes(app: App, rooms: ManagementRooms): void {
  const { groups, tenants } = rooms;
  listRoute(app, kind, "Lists groups.", namedPageQuery, groups);
  createRoute(app, kind, "Makes a group.", newGroupBody, tenants, groups);
  showRoute(app, kind, "Shows a group.", groups);
  replaceRoute(app, kind, "Replaces what a group is.", groupBody, groups);
  removeRoute(
    app,
    kind,
    "Removes a group that no policy and no enrolment token names. Its machines stay.",
    groups,
  );
  memberRoutes(app, rooms);
  previewRoute(app, rooms);
}

function previewRoute(app: App, { tenants, ground }: ManagementRooms): void {
  app.post(
    `${api}/groups/preview`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Counts the machines that a group with this selector would have. Changes nothing.",
        body: selectorPreviewBody,
        response: { 200: selectionAnswer },
      },
    },
    async (request) => {
      const { tenantId, selector } = request.body;
      const owner = await owningTenant(tenants, principalOf(request).scope, tenantId);
      return await selectionBy(ground.database, owner, selector);
    },
  );
}

function memberRoutes(app: App, { groups }: ManagementRooms): void {
  app.get(
    `${api}/groups/:id/members`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Lists the machines of a group.",
        params: idParameters,
        querystring: pageQuery,
        response: { 200: listOf(groupMember) },
      },
    },
    async (request) => {
      const page = pageOf(request.query);
      return pageAnswer(
        page,
        await groups.members(principalOf(request).scope, request.params.id, page),
      );
    },
  );
  for (const [path, change, summary] of [
    ["members", "addMembers", "Puts machines into a group that does not select them itself."],
    [
      "members/remove",
      "removeMembers",
      "Takes machines out of a group that does not select them itself.",
    ],
  ] as const)
    app.post(
      `${api}/groups/:id/${path}`,
      {
        ...forRole("operator"),
        schema: {
          tags,
          summary,
          params: idParameters,
          headers: idempotencyHeader,
          body: groupMembersBody,
          response: { 204: noContent },
        },
      },
      async (request, reply) => {
        const { actor, scope } = principalOf(request);
        await groups[change](actor, scope, request.params.id, request.body.agentIds);
        return await reply.status(204).send();
      },
    );
}
