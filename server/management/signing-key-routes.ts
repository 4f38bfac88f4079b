/** `/api/v1/signing-keys`: the keys by which machines know what comes from this server. */
import { z } from "zod";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { newSigningKeyBody, signingKeyAnswer } from "../../protocol/management/repositories.ts";
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import {
  api,
  forRole,
  forWholeServer,
  idempotencyHeader,
  idParameters,
  noContent,
} from "./route-parts.ts";

const tags = ["signing-keys"];

export function signingKeyRoutes(app: App, rooms: ManagementRooms): void {
  const { signingKeys, repositories } = rooms;
  app.get(
    `${api}/signing-keys`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Lists the keys that sign, oldest first; public halves only.",
        response: { 200: z.object({ items: z.array(signingKeyAnswer), nextCursor: z.null() }) },
      },
    },
    async () => ({ items: await signingKeys.list(), nextCursor: null }),
  );
  app.post(
    `${api}/signing-keys`,
    {
      ...forWholeServer("admin"),
      schema: {
        tags,
        summary:
          "Adds a key that signs from now on; those before stay believed until they are retired.",
        headers: idempotencyHeader,
        body: newSigningKeyBody,
        response: { 201: signingKeyAnswer },
      },
    },
    async (request, reply) => {
      const { actor } = principalOf(request);
      const { role, publicKey } = request.body;
      if (publicKey !== undefined && role !== "destination")
        throw new BackstayError("RESOURCE_INVALID", {
          publicKey: "only destination keys are kept offline",
        });
      const key =
        publicKey === undefined
          ? await signingKeys.rotate(actor, role)
          : await signingKeys.addOffline(actor, publicKey);
      if (role === "destination") await repositories.refresh(actor);
      return await reply.status(201).send(key);
    },
  );
  app.post(
    `${api}/signing-keys/:id/retire`,
    {
      ...forWholeServer("admin"),
      schema: {
        tags,
        summary: "Ends the belief in a key that signs nothing any more.",
        params: idParameters,
        headers: idempotencyHeader,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      await signingKeys.retire(principalOf(request).actor, request.params.id);
      return await reply.status(204).send();
    },
  );
  app.post(
    `${api}/signing-keys/:id/take-offline`,
    {
      ...forWholeServer("admin"),
      schema: {
        tags,
        summary: "Hands out the private half of a destination key, this once, and forgets it.",
        params: idParameters,
        response: { 200: z.object({ id: z.string(), privateKey: z.string() }) },
      },
    },
    async (request) => {
      const { actor } = principalOf(request);
      const { id } = request.params;
      const privateKey = await signingKeys.exportDestinationKey(actor, id);
      await signingKeys.removePrivateHalf(actor, id);
      return { id, privateKey };
    },
  );
}
