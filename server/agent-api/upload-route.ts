/** What a command collects on a machine, streamed: nothing of it is kept in memory. */
import { Readable } from "node:stream";
import { z } from "zod";
import { agentApi, uploadBytesMax } from "../../protocol/control/agent-api.ts";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import type { CommandUploads } from "../commands/command-uploads.ts";
import type { App } from "../http/http-app.ts";

/** A body on which nothing moves for so long is given up, ms. */
const silenceMs = 60_000;

/** Registers the route behind `authenticateAgents`. */
export function uploadRoute(app: App, { uploads }: { readonly uploads: CommandUploads }): void {
  void app.register(async (scope: App) => {
    scope.addContentTypeParser(
      "application/octet-stream",
      async (_request: unknown, body: Readable) => body,
    );
    scope.put(
      agentApi.commandUpload(":id"),
      {
        config: { access: { kind: "agent" }, streamsBody: true },
        bodyLimit: uploadBytesMax,
        schema: {
          params: z.object({ id: z.string().min(1).max(100) }),
          response: { 204: z.undefined() },
        },
      },
      async (request, reply) => {
        const body: unknown = request.body;
        if (!(body instanceof Readable))
          throw agentRefusal("body-invalid", "It is not application/octet-stream.");
        request.raw.setTimeout(silenceMs, () => request.raw.destroy());
        await uploads.take(request.agent.id, request.params.id, body);
        return await reply.status(204).send();
      },
    );
  });
}
