/** `/api/v1/api-tokens`: who may use this API. */
import {
  apiTokenAnswer,
  newApiTokenAnswer,
  newApiTokenBody,
} from "../../protocol/management/api-tokens.ts";
import { principalOf } from "../access/authorise.ts";
import { requiredVersion } from "../http/entity-tag.ts";
import type { App } from "../http/http-app.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { listRoute, showRoute } from "./resource-routes.ts";
import {
  api,
  forRole,
  idempotencyHeader,
  idParameters,
  ifMatchHeader,
  tagged,
  tenantPageQuery,
} from "./route-parts.ts";

const tags = ["api-tokens"];
const kind = { path: "api-tokens", tags, answer: apiTokenAnswer, reader: "admin" } as const;

export function apiTokenRoutes(app: App, { tokens }: ManagementRooms): void {
  const lists = "Lists API tokens, never their texts.";
  listRoute(app, kind, lists, tenantPageQuery, tokens);
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
  showRoute(app, kind, "Shows an API token, not its text.", tokens);
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
