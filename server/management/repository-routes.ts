/** `/api/v1/repositories`: where the data of machines goes. */
import { z } from "zod";
import { repositoryRoute } from "../../protocol/control/repository-route.ts";
import { repositoryModes } from "../../protocol/control/repository-state.ts";
import {
  repositoryAnswer,
  repositoryQuotas,
  repositorySignatureBody,
} from "../../protocol/management/repositories.ts";
import { ownerTenant } from "../../protocol/management/resource.ts";
import { policyName } from "../../protocol/policy/scalars.ts";
import { principalOf } from "../access/authorise.ts";
import { endRetiring } from "../bundles/retiring-routes.ts";
import type { App } from "../http/http-app.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import {
  actionRoute,
  createRoute,
  listRoute,
  removeRoute,
  replaceRoute,
  showRoute,
} from "./resource-routes.ts";
import {
  api,
  forRole,
  idempotencyHeader,
  idParameters,
  namedPageQuery,
  tagged,
} from "./route-parts.ts";

const tags = ["repositories"];
const kind = { path: "repositories", tags, answer: repositoryAnswer };

const repositoryBody = z.strictObject({
  name: policyName,
  routes: z.array(repositoryRoute).max(20).default([]),
  members: z.array(policyName).max(100).optional().describe("Of a pool, in place of routes."),
  modes: repositoryModes.optional(),
  quotas: repositoryQuotas.default({}),
});
const newRepositoryBody = z.strictObject({ ...ownerTenant.shape, ...repositoryBody.shape });

export function repositoryRoutes(app: App, rooms: ManagementRooms): void {
  const { ground, repositories, tenants } = rooms;
  listRoute(app, kind, "Lists repositories.", namedPageQuery, repositories);
  createRoute(
    app,
    kind,
    "Makes a repository, to be named by policies as backstay:NAME.",
    newRepositoryBody,
    tenants,
    repositories,
  );
  showRoute(app, kind, "Shows a repository.", repositories);
  replaceRoute(
    app,
    kind,
    "Replaces what a repository is. Counts once its destination is signed.",
    repositoryBody,
    repositories,
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
  actionRoute(
    app,
    kind,
    "retire-routes",
    "admin",
    "Ends all routes that were replaced, whoever goes by them. Those that every machine has left end by themselves.",
    async ({ actor, scope }, id) => {
      await endRetiring(ground, actor, scope, id);
      return await repositories.get(scope, id);
    },
  );
  removeRoute(
    app,
    kind,
    "Removes a repository that no policy names. What is stored in it stays where it is.",
    repositories,
  );
}
