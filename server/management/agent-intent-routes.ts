/** `/api/v1/agents/:id/intent`, and new passwords of a machine's repositories: what its next bundle is to say. */
import { agentIntent, renewPasswordBody } from "../../protocol/management/agents.ts";
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { api, forRole, idempotencyHeader, idParameters, noContent } from "./route-parts.ts";

const tags = ["agents"];

export function agentIntentRoutes(app: App, rooms: ManagementRooms): void {
  const { agents, intents, machineRepositories } = rooms;
  app.get(
    `${api}/agents/:id/intent`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Shows whether it is meant that a machine backs up less than before.",
        params: idParameters,
        response: { 200: agentIntent },
      },
    },
    async (request) => {
      const { id } = await agents.get(principalOf(request).scope, request.params.id);
      return { intent: await intents.get(id) };
    },
  );
  app.post(
    `${api}/agents/:id/intent`,
    {
      ...forRole("operator"),
      schema: {
        tags,
        summary:
          "Says that a machine is meant to back up less, or nothing, until its policies change again.",
        params: idParameters,
        headers: idempotencyHeader,
        body: agentIntent,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      await intents.set(actor, scope, request.params.id, request.body.intent);
      return await reply.status(204).send();
    },
  );
  app.post(
    `${api}/agents/:id/renew-password`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary:
          "Makes another automatic password; the machine changes its repository to it with its next run.",
        params: idParameters,
        headers: idempotencyHeader,
        body: renewPasswordBody,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const { repositoryId } = request.body;
      await machineRepositories.renewPassword(actor, scope, request.params.id, repositoryId);
      return await reply.status(204).send();
    },
  );
}
