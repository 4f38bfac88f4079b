/** `/api/v1/licence` and `/api/v1/escrow`. */
import {
  escrowAnswer,
  licenceAnswer,
  licenceBody,
  releasedEscrowAnswer,
} from "../../protocol/management/licences.ts";
import { resourceId } from "../../protocol/management/resource.ts";
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { actionRoute, listRoute } from "./resource-routes.ts";
import { api, forWholeServer, idempotencyHeader, tenantPageQuery } from "./route-parts.ts";

export function licenceRoutes(app: App, { licences }: ManagementRooms): void {
  const tags = ["licence"];
  app.get(
    `${api}/licence`,
    {
      ...forWholeServer("read-only"),
      schema: {
        tags,
        summary: "Shows the licence that counts, and how much of it is used.",
        response: { 200: licenceAnswer },
      },
    },
    async () => await licences.show(),
  );
  app.post(
    `${api}/licence`,
    {
      ...forWholeServer("admin"),
      schema: {
        tags,
        summary: "Installs a licence; it counts from now on.",
        headers: idempotencyHeader,
        body: licenceBody,
        response: { 200: licenceAnswer },
      },
    },
    async (request) => await licences.install(principalOf(request).actor, request.body.jws),
  );
}

export function escrowRoutes(app: App, { escrow }: ManagementRooms): void {
  const tags = ["escrow"];
  const query = tenantPageQuery.extend({
    agentId: resourceId.optional(),
    repositoryId: resourceId.optional(),
  });
  listRoute(
    app,
    { path: "escrow", tags, answer: escrowAnswer, reader: "admin" },
    "Lists the recovery passwords that machines have sealed, without them.",
    query,
    escrow,
  );
  actionRoute(
    app,
    { path: "escrow", tags, answer: releasedEscrowAnswer },
    "release",
    "admin",
    "Hands out a sealed recovery password, and notes who took it.",
    async ({ actor, scope }, id) => await escrow.release(actor, scope, id),
  );
}
