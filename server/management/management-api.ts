/** Every route of `/api/v1`. */
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import { heedIdempotencyKeys } from "../http/idempotency.ts";
import { agentRoutes } from "./agent-routes.ts";
import { apiTokenRoutes } from "./api-token-routes.ts";
import { auditRoutes } from "./audit-routes.ts";
import { groupRoutes } from "./group-routes.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { tenantRoutes } from "./tenant-routes.ts";

/** Registers the routes on `app`, behind `authorise`. */
export async function managementApi(app: App, rooms: ManagementRooms): Promise<void> {
  await app.register(async (scoped) => {
    heedIdempotencyKeys(scoped, rooms.ground, (request) => principalOf(request).actor);
    tenantRoutes(scoped, rooms);
    groupRoutes(scoped, rooms);
    agentRoutes(scoped, rooms);
    apiTokenRoutes(scoped, rooms);
    auditRoutes(scoped, rooms);
  });
}
