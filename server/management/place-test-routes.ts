/** `/api/v1/repositories…/test`: whether the places of repositories are as they must be. */
import { newPlaceTestBody, placeTestAnswer } from "../../protocol/management/place-tests.ts";
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { actionRoute } from "./resource-routes.ts";
import { api, forRole, idempotencyHeader, idParameters, owningTenant } from "./route-parts.ts";

const tags = ["repositories"];
const kind = { path: "repositories", tags, answer: placeTestAnswer };

export function placeTestRoutes(app: App, { placeTests, tenants }: ManagementRooms): void {
  app.post(
    `${api}/repositories/test`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Tests places before a repository is made of them. Nothing is kept.",
        headers: idempotencyHeader,
        body: newPlaceTestBody,
        response: { 200: placeTestAnswer },
      },
    },
    async (request) => {
      const { tenantId, routes } = request.body;
      const owner = await owningTenant(tenants, principalOf(request).scope, tenantId);
      return await placeTests.testRoutes(owner, routes);
    },
  );
  app.get(
    `${api}/repositories/:id/test`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Shows what the last test of a repository's places has found.",
        params: idParameters,
        response: { 200: placeTestAnswer },
      },
    },
    async (request) => await placeTests.last(principalOf(request).scope, request.params.id),
  );
  actionRoute(
    app,
    kind,
    "test",
    "operator",
    "Tests the places of a repository with their accounts: writes, reads and removes an object of its own.",
    async ({ actor, scope }, id) => await placeTests.test(actor, scope, id),
  );
}
