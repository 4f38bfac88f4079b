/** `/api/v1/repositories`: where the data of machines goes. */
import { z } from "zod";
import { repositoryRoute } from "../../protocol/control/repository-route.ts";
import {
  repositoryAnswer,
  repositoryQuotas,
  repositorySignatureBody,
} from "../../protocol/management/repositories.ts";
import { pageOf as listOf, ownerTenant } from "../../protocol/management/resource.ts";
import { policyName } from "../../protocol/policy/scalars.ts";
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
  namedPageQuery,
  narrowedScope,
  noContent,
  owningTenant,
  tagged,
} from "./route-parts.ts";

const tags = ["repositories"];

const repositoryBody = z.strictObject({
  name: policyName,
  routes: z.array(repositoryRoute).min(1).max(20),
  quotas: repositoryQuotas.default({}),
});
const newRepositoryBody = z.strictObject({ ...ownerTenant.shape, ...repositoryBody.shape });

export function repositoryRoutes(app: App, rooms: ManagementRooms): void {
  const { repositories, tenants } = rooms;
  app.get(
    `${api}/repositories`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Lists repositories.",
        querystring: namedPageQuery,
        response: { 200: listOf(repositoryAnswer) },
      },
    },
    async (request) => {
      const { name, tenantId } = request.query;
      const page = pageOf(request.query);
      const scope = narrowedScope(principalOf(request).scope, tenantId);
      return pageAnswer(page, await repositories.list(scope, page, { name }));
    },
  );
  app.post(
    `${api}/repositories`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Makes a repository, to be named by policies as backstay:NAME.",
        headers: idempotencyHeader,
        body: newRepositoryBody,
        response: { 201: repositoryAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const { tenantId, ...settings } = request.body;
      const owner = await owningTenant(tenants, scope, tenantId);
      const made = await repositories.create(actor, owner, settings);
      return await reply.status(201).send(tagged(reply, made));
    },
  );
  app.get(
    `${api}/repositories/:id`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Shows a repository.",
        params: idParameters,
        response: { 200: repositoryAnswer },
      },
    },
    async (request, reply) =>
      tagged(reply, await repositories.get(principalOf(request).scope, request.params.id)),
  );
  changeRoutes(app, rooms);
}

function changeRoutes(app: App, { repositories }: ManagementRooms): void {
  app.put(
    `${api}/repositories/:id`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Replaces what a repository is. Counts once its destination is signed.",
        params: idParameters,
        headers: ifMatchHeader,
        body: repositoryBody,
        response: { 200: repositoryAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const version = requiredVersion(request.headers);
      const { id } = request.params;
      return tagged(reply, await repositories.replace(actor, scope, id, version, request.body));
    },
  );
  app.post(
    `${api}/repositories/:id/signature`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Takes the signature of a destination that was made offline.",
        params: idParameters,
        headers: idempotencyHeader,
        body: repositorySignatureBody,
        response: { 200: repositoryAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const { id } = request.params;
      return tagged(reply, await repositories.acceptSignature(actor, scope, id, request.body.jws));
    },
  );
  app.delete(
    `${api}/repositories/:id`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary:
          "Removes a repository that no policy names. What is stored in it stays where it is.",
        params: idParameters,
        headers: ifMatchHeader,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      await repositories.remove(actor, scope, request.params.id, requiredVersion(request.headers));
      return await reply.status(204).send();
    },
  );
}
