/** `/api/v1/secrets`: written by people, read by nobody but the machines that need them. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { secretAnswer, secretBody } from "../../protocol/management/repositories.ts";
import { pageOf as listOf } from "../../protocol/management/resource.ts";
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
  noContent,
  owningTenant,
  tagged,
} from "./route-parts.ts";

const tags = ["secrets"];

export function secretRoutes(app: App, { secrets, tenants }: ManagementRooms): void {
  app.get(
    `${api}/secrets`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Lists secrets, never their values.",
        querystring: namedPageQuery,
        response: { 200: listOf(secretAnswer) },
      },
    },
    async (request) => {
      const { name, tenantId } = request.query;
      const page = pageOf(request.query);
      const scope = narrowedScope(principalOf(request).scope, tenantId);
      return pageAnswer(page, await secrets.list(scope, page, { name }));
    },
  );
  app.post(
    `${api}/secrets`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary:
          "Keeps a value under a name, new or in place of the one before. The same value changes nothing.",
        headers: idempotencyHeader,
        body: secretBody,
        response: { 200: secretAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const { tenantId, name, value, encoding } = request.body;
      const owner = await owningTenant(tenants, scope, tenantId);
      return tagged(reply, await secrets.put(actor, owner, name, bytesOf(value, encoding)));
    },
  );
  app.get(
    `${api}/secrets/:id`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Shows what is known of a secret, not its value.",
        params: idParameters,
        response: { 200: secretAnswer },
      },
    },
    async (request, reply) =>
      tagged(reply, await secrets.get(principalOf(request).scope, request.params.id)),
  );
  app.delete(
    `${api}/secrets/:id`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Removes a secret that no policy and no repository names.",
        params: idParameters,
        headers: ifMatchHeader,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const { id } = request.params;
      const version = requiredVersion(request.headers);
      requireVersion("secret", await secrets.get(scope, id), version);
      await secrets.remove(actor, scope, id);
      return await reply.status(204).send();
    },
  );
}

function bytesOf(value: string, encoding: "text" | "base64"): Uint8Array {
  if (encoding === "text") return Buffer.from(value);
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value))
    throw new BackstayError("RESOURCE_INVALID", { field: "value", problem: "it is no base64" });
  return Buffer.from(value, "base64");
}
