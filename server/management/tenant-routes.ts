/** `/api/v1/tenants`. Tokens of one tenant see their own only. */
import { tenantAnswer, tenantBody } from "../../protocol/management/tenants.ts";
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { listRoute, removeRoute, replaceRoute, showRoute } from "./resource-routes.ts";
import { api, forWholeServer, idempotencyHeader, namedPageQuery, tagged } from "./route-parts.ts";

const tags = ["tenants"];
const kind = { path: "tenants", tags, answer: tenantAnswer };

export function tenantRoutes(app: App, { tenants }: ManagementRooms): void {
  listRoute(app, kind, "Lists tenants.", namedPageQuery, tenants);
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
  showRoute(app, kind, "Shows a tenant.", tenants);
  const access = forWholeServer("admin");
  const replaces = "Replaces what is decided about a tenant.";
  replaceRoute(app, kind, replaces, tenantBody, tenants, access);
  const removes = "Removes a tenant that has neither machines nor repositories.";
  removeRoute(app, kind, removes, tenants, access);
}
