/** `/api/v1/licence` and `/api/v1/escrow`. */
import {
  escrowAnswer,
  licenceAnswer,
  licenceBody,
  releasedEscrowAnswer,
} from "../../protocol/management/licences.ts";
import { pageOf as listOf, resourceId } from "../../protocol/management/resource.ts";
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import { pageAnswer, pageOf } from "../http/page-cursor.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import {
  api,
  forRole,
  forWholeServer,
  idempotencyHeader,
  idParameters,
  narrowedScope,
  tenantPageQuery,
} from "./route-parts.ts";

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
  app.get(
    `${api}/escrow`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Lists the recovery passwords that machines have sealed, without them.",
        querystring: tenantPageQuery.extend({
          agentId: resourceId.optional(),
          repositoryId: resourceId.optional(),
        }),
        response: { 200: listOf(escrowAnswer) },
      },
    },
    async (request) => {
      const { tenantId, agentId, repositoryId } = request.query;
      const page = pageOf(request.query);
      const scope = narrowedScope(principalOf(request).scope, tenantId);
      return pageAnswer(page, await escrow.list(scope, page, { agentId, repositoryId }));
    },
  );
  app.post(
    `${api}/escrow/:id/release`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Hands out a sealed recovery password, and notes who took it.",
        params: idParameters,
        headers: idempotencyHeader,
        response: { 200: releasedEscrowAnswer },
      },
    },
    async (request) => {
      const { actor, scope } = principalOf(request);
      return await escrow.release(actor, scope, request.params.id);
    },
  );
}
