/** `/api/v1/enrolment-tokens`, `/enrolment-requests`, `/identity-conflicts`: how machines become members. */
import { z } from "zod";
import {
  conflictStates,
  enrolmentRequestAnswer,
  enrolmentTokenAnswer,
  identityConflictAnswer,
  newEnrolmentTokenAnswer,
  newEnrolmentTokenBody,
  requestStates,
} from "../../protocol/management/enrolments.ts";
import { pageOf as listOf, resourceId } from "../../protocol/management/resource.ts";
import { principalOf } from "../access/authorise.ts";
import { requireVersion } from "../ground/resource-access.ts";
import { requiredVersion } from "../http/entity-tag.ts";
import type { App } from "../http/http-app.ts";
import { pageAnswer, pageOf } from "../http/page-cursor.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import {
  api,
  forRole,
  idempotencyHeader,
  idParameters,
  ifMatchHeader,
  namedPageQuery,
  narrowedScope,
  owningTenant,
  tagged,
  tenantPageQuery,
} from "./route-parts.ts";

const tags = ["enrolment"];

export function enrolmentRoutes(app: App, rooms: ManagementRooms): void {
  tokenRoutes(app, rooms);
  requestRoutes(app, rooms);
  conflictRoutes(app, rooms);
}

function tokenRoutes(app: App, { enrolmentTokens, tenants }: ManagementRooms): void {
  app.get(
    `${api}/enrolment-tokens`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Lists enrolment tokens, never their texts.",
        querystring: namedPageQuery,
        response: { 200: listOf(enrolmentTokenAnswer) },
      },
    },
    async (request) => {
      const { name, tenantId } = request.query;
      const page = pageOf(request.query);
      const scope = narrowedScope(principalOf(request).scope, tenantId);
      return pageAnswer(page, await enrolmentTokens.list(scope, page, { name }));
    },
  );
  app.post(
    `${api}/enrolment-tokens`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Makes an enrolment token.",
        headers: idempotencyHeader,
        body: newEnrolmentTokenBody,
        response: { 201: newEnrolmentTokenAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const { tenantId, ...settings } = request.body;
      const owner = await owningTenant(tenants, scope, tenantId);
      const { info, token } = await enrolmentTokens.create(actor, owner, settings);
      return await reply.status(201).send({ ...tagged(reply, info), token });
    },
  );
  app.get(
    `${api}/enrolment-tokens/:id`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Shows an enrolment token, not its text.",
        params: idParameters,
        response: { 200: enrolmentTokenAnswer },
      },
    },
    async (request, reply) =>
      tagged(reply, await enrolmentTokens.get(principalOf(request).scope, request.params.id)),
  );
  app.delete(
    `${api}/enrolment-tokens/:id`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary:
          "Revokes an enrolment token: no machine joins by it any more; it stays in the list.",
        params: idParameters,
        headers: ifMatchHeader,
        response: { 200: enrolmentTokenAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const { id } = request.params;
      const version = requiredVersion(request.headers);
      requireVersion("enrolmentToken", await enrolmentTokens.get(scope, id), version);
      return tagged(reply, await enrolmentTokens.revoke(actor, scope, id));
    },
  );
}

function requestRoutes(app: App, { enrolments }: ManagementRooms): void {
  app.get(
    `${api}/enrolment-requests`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Lists machines that have asked to join.",
        querystring: tenantPageQuery.extend({ state: z.enum(requestStates).optional() }),
        response: { 200: listOf(enrolmentRequestAnswer) },
      },
    },
    async (request) => {
      const { state, tenantId } = request.query;
      const page = pageOf(request.query);
      const scope = narrowedScope(principalOf(request).scope, tenantId);
      return pageAnswer(page, await enrolments.list(scope, page, { state }));
    },
  );
  app.get(
    `${api}/enrolment-requests/:id`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Shows a machine that has asked to join.",
        params: idParameters,
        response: { 200: enrolmentRequestAnswer },
      },
    },
    async (request, reply) =>
      tagged(reply, await enrolments.get(principalOf(request).scope, request.params.id)),
  );
  for (const [verb, summary] of [
    ["approve", "Lets a machine in; it learns so when it asks again."],
    ["deny", "Sends a machine away for good."],
  ] as const)
    app.post(
      `${api}/enrolment-requests/:id/${verb}`,
      {
        ...forRole("operator"),
        schema: {
          tags,
          summary,
          params: idParameters,
          headers: idempotencyHeader,
          response: { 200: enrolmentRequestAnswer },
        },
      },
      async (request, reply) => {
        const { actor, scope } = principalOf(request);
        const { id, version } = await enrolments.get(scope, request.params.id);
        return tagged(reply, await enrolments[verb](actor, scope, id, version));
      },
    );
}

function conflictRoutes(app: App, { identityConflicts }: ManagementRooms): void {
  app.get(
    `${api}/identity-conflicts`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Lists identities that two machines use, or used.",
        querystring: tenantPageQuery.extend({
          state: z.enum(conflictStates).optional(),
          agentId: resourceId.optional(),
        }),
        response: { 200: listOf(identityConflictAnswer) },
      },
    },
    async (request) => {
      const { state, agentId, tenantId } = request.query;
      const page = pageOf(request.query);
      const scope = narrowedScope(principalOf(request).scope, tenantId);
      return pageAnswer(page, await identityConflicts.list(scope, page, { state, agentId }));
    },
  );
  app.get(
    `${api}/identity-conflicts/:id`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Shows what is known of an identity that two machines use.",
        params: idParameters,
        response: { 200: identityConflictAnswer },
      },
    },
    async (request) => await identityConflicts.get(principalOf(request).scope, request.params.id),
  );
  app.post(
    `${api}/identity-conflicts/:id/dismiss`,
    {
      ...forRole("operator"),
      schema: {
        tags,
        summary: "It was none, or is over: nobody is refused for it any more.",
        params: idParameters,
        headers: idempotencyHeader,
        response: { 200: identityConflictAnswer },
      },
    },
    async (request) => {
      const { actor, scope } = principalOf(request);
      return await identityConflicts.dismiss(actor, scope, request.params.id);
    },
  );
}
