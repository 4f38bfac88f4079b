/** `/api/v1/tenants`. Tokens of one tenant see their own only. */
import { pageOf as listOf } from "../../protocol/management/resource.ts";
import { tenantAnswer, tenantBody } from "../../protocol/management/tenants.ts";
import { principalOf } from "../access/authorise.ts";
import { requiredVersion } from "../http/entity-tag.ts";
import type { App } from "../http/http-app.ts";
import { pageAnswer, pageOf } from "../http/page-cursor.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import {
  api,
  forRole,
  forWholeServer,
  idempotencyHeader,
  idParameters,
  ifMatchHeader,
  namedPageQuery,
  narrowedScope,
  noContent,
  tagged,
} from "./route-parts.ts";

const tags = ["tenants"];

export function tenantRoutes(app: App, { tenants }: ManagementRooms): void {
  app.get(
    `${api}/tenants`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Lists tenants.",
        querystring: namedPageQuery,
        response: { 200: listOf(tenantAnswer) },
      },
    },
    async (request) => {
      const { name, tenantId } = request.query;
      const page = pageOf(request.query);
      const scope = narrowedScope(principalOf(request).scope, tenantId);
      return pageAnswer(page, await tenants.list(scope, page, { name }));
    },
  );
  app.post(
    `${api}/tenants`,
    {
      ...forWholeServer("admin"),
      schema: {
        tags,
        summary: "Makes a tenant.",
        headers: idempotencyHeader,
        body: tenantBody,
        response: { 201: tenantAnswer },
      },
    },
    async (request, reply) => {
      const tenant = await tenants.create(principalOf(request).actor, request.body);
      return await reply.status(201).send(tagged(reply, tenant));
    },
  );
  app.get(
    `${api}/tenants/:id`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Shows a tenant.",
        params: idParameters,
        response: { 200: tenantAnswer },
      },
    },
    async (request, reply) =>
      tagged(reply, await tenants.get(principalOf(request).scope, request.params.id)),
  );
  app.put(
    `${api}/tenants/:id`,
    {
      ...forWholeServer("admin"),
      schema: {
        tags,
        summary: "Replaces what is decided about a tenant.",
        params: idParameters,
        headers: ifMatchHeader,
        body: tenantBody,
        response: { 200: tenantAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const version = requiredVersion(request.headers);
      return tagged(
        reply,
        await tenants.replace(actor, scope, request.params.id, version, request.body),
      );
    },
  );
  app.delete(
    `${api}/tenants/:id`,
    {
      ...forWholeServer("admin"),
      schema: {
        tags,
        summary: "Removes a tenant that has neither machines nor repositories.",
        params: idParameters,
        headers: ifMatchHeader,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      await tenants.remove(actor, scope, request.params.id, requiredVersion(request.headers));
      return await reply.status(204).send();
    },
  );
}
