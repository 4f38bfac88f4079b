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
import { requiredVersion } from "../http/entity-tag.ts";
import type { App } from "../http/http-app.ts";
import { pageAnswer, pageOf, pageQuery } from "../http/page-cursor.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import {
  api,
  forRole,
  idempotencyHeader,
  idParameters,
  ifMatchHeader,
  namedPageQuery,
  narrowedScope,
  noContent,
  owningTenant,
  tagged,
} from "./route-parts.ts";

const tags = ["groups"];

export function groupRoutes(app: App, rooms: ManagementRooms): void {
  const { groups, tenants } = rooms;
  app.get(
    `${api}/groups`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Lists groups.",
        querystring: namedPageQuery,
        response: { 200: listOf(groupAnswer) },
      },
    },
    async (request) => {
      const { name, tenantId } = request.query;
      const page = pageOf(request.query);
      const scope = narrowedScope(principalOf(request).scope, tenantId);
      return pageAnswer(page, await groups.list(scope, page, { name }));
    },
  );
  app.post(
    `${api}/groups`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Makes a group.",
        headers: idempotencyHeader,
        body: newGroupBody,
        response: { 201: groupAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const { tenantId, ...settings } = request.body;
      const owner = await owningTenant(tenants, scope, tenantId);
      return await reply
        .status(201)
        .send(tagged(reply, await groups.create(actor, owner, settings)));
    },
  );
  app.get(
    `${api}/groups/:id`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Shows a group.",
        params: idParameters,
        response: { 200: groupAnswer },
      },
    },
    async (request, reply) =>
      tagged(reply, await groups.get(principalOf(request).scope, request.params.id)),
  );
  app.put(
    `${api}/groups/:id`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Replaces what a group is.",
        params: idParameters,
        headers: ifMatchHeader,
        body: groupBody,
        response: { 200: groupAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const version = requiredVersion(request.headers);
      return tagged(
        reply,
        await groups.replace(actor, scope, request.params.id, version, request.body),
      );
    },
  );
  app.delete(
    `${api}/groups/:id`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Removes a group that no policy and no enrolment token names. Its machines stay.",
        params: idParameters,
        headers: ifMatchHeader,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      await groups.remove(actor, scope, request.params.id, requiredVersion(request.headers));
      return await reply.status(204).send();
    },
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
  app.post(
    `${api}/groups/:id/members`,
    {
      ...forRole("operator"),
      schema: {
        tags,
        summary: "Puts machines into a group that does not select them itself.",
        params: idParameters,
        headers: idempotencyHeader,
        body: groupMembersBody,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      await groups.addMembers(actor, scope, request.params.id, request.body.agentIds);
      return await reply.status(204).send();
    },
  );
  app.post(
    `${api}/groups/:id/members/remove`,
    {
      ...forRole("operator"),
      schema: {
        tags,
        summary: "Takes machines out of a group that does not select them itself.",
        params: idParameters,
        headers: idempotencyHeader,
        body: groupMembersBody,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      await groups.removeMembers(actor, scope, request.params.id, request.body.agentIds);
      return await reply.status(204).send();
    },
  );
}
