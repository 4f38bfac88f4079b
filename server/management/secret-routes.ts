/** `/api/v1/secrets`: written by people, read by nobody but the machines that need them. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { secretAnswer, secretBody } from "../../protocol/management/repositories.ts";
import { principalOf } from "../access/authorise.ts";
import { requireVersion } from "../ground/resource-access.ts";
import type { App } from "../http/http-app.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { listRoute, removeRoute, showRoute } from "./resource-routes.ts";
import {
  api,
  forRole,
  idempotencyHeader,
  namedPageQuery,
  owningTenant,
  tagged,
} from "./route-parts.ts";

const tags = ["secrets"];
const kind = { path: "secrets", tags, answer: secretAnswer };

export function secretRoutes(app: App, { secrets, tenants }: ManagementRooms): void {
  listRoute(app, kind, "Lists secrets, never their values.", namedPageQuery, secrets);
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
  showRoute(app, kind, "Shows what is known of a secret, not its value.", secrets);
  removeRoute(app, kind, "Removes a secret that no policy and no repository names.", {
    remove: async (actor, scope, id, version) => {
      requireVersion("secret", await secrets.get(scope, id), version);
      await secrets.remove(actor, scope, id);
    },
  });
}

function bytesOf(value: string, encoding: "text" | "base64"): Uint8Array {
  if (encoding === "text") return Buffer.from(value);
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value))
    throw new BackstayError("RESOURCE_INVALID", { field: "value", problem: "it is no base64" });
  return Buffer.from(value, "base64");
}
