/** `/api/v1/api-tokens`: who may use this API. */
import {
  apiTokenAnswer,
  newApiTokenAnswer,
  newApiTokenBody,
} from "../../protocol/management/api-tokens.ts";
import { pageOf as listOf } from "../../protocol/management/resource.ts";
import { principalOf } from "../access/authorise.ts";
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
  narrowedScope,
  tagged,
  tenantPageQuery,
} from "./route-parts.ts";

const tags = ["api-tokens"];

export function apiTokenRoutes(app: App, { tokens }: ManagementRooms): void {
  app.get(
    `${api}/api-tokens`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Lists API tokens, never their texts.",
        querystring: tenantPageQuery,
        response: { 200: listOf(apiTokenAnswer) },
      },
    },
    async (request) => {
      const page = pageOf(request.query);
      const scope = narrowedScope(principalOf(request).scope, request.query.tenantId);
      return pageAnswer(page, await tokens.list(scope, page));
    },
  );
  app.post(
    `${api}/api-tokens`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Makes an API token of no more than the asker's own rights.",
        headers: idempotencyHeader,
        body: newApiTokenBody,
        response: { 201: newApiTokenAnswer },
      },
    },
    async (request, reply) => {
      const maker = principalOf(request);
      const { tenantId = maker.scope, ...wanted } = request.body;
      const { token, text } = await tokens.create(maker, { ...wanted, tenantId });
      return await reply.status(201).send({ ...tagged(reply, token), token: text });
    },
  );
  app.get(
    `${api}/api-tokens/:id`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Shows an API token, not its text.",
        params: idParameters,
        response: { 200: apiTokenAnswer },
      },
    },
    async (request, reply) =>
      tagged(reply, await tokens.get(principalOf(request).scope, request.params.id)),
  );
  app.delete(
    `${api}/api-tokens/:id`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Revokes an API token: it counts no longer, and stays in the list.",
        params: idParameters,
        headers: ifMatchHeader,
        response: { 200: apiTokenAnswer },
      },
    },
    async (request, reply) => {
      const version = requiredVersion(request.headers);
      return tagged(reply, await tokens.revoke(principalOf(request), request.params.id, version));
    },
  );
}
