/** Every route of `/api/v1`. */
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import { heedIdempotencyKeys } from "../http/idempotency.ts";
import { agentIntentRoutes } from "./agent-intent-routes.ts";
import { agentRoutes } from "./agent-routes.ts";
import { apiTokenRoutes } from "./api-token-routes.ts";
import { auditRoutes } from "./audit-routes.ts";
import { commandRoutes } from "./command-routes.ts";
import { enrolmentRoutes } from "./enrolment-routes.ts";
import { groupRoutes } from "./group-routes.ts";
import { escrowRoutes, licenceRoutes } from "./licence-routes.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { placeTestRoutes } from "./place-test-routes.ts";
import { policyRoutes } from "./policy-routes.ts";
import { repositoryRoutes } from "./repository-routes.ts";
import { rolloutRoutes } from "./rollout-routes.ts";
import { secretRoutes } from "./secret-routes.ts";
import { sessionRoutes } from "./session-routes.ts";
import { signingKeyRoutes } from "./signing-key-routes.ts";
import { tenantRoutes } from "./tenant-routes.ts";

/** Registers the routes on `app`, behind `authorise`. */
export async function managementApi(app: App, rooms: ManagementRooms): Promise<void> {
  await app.register(async (scoped) => {
    heedIdempotencyKeys(scoped, rooms.ground, (request) => principalOf(request).actor);
    tenantRoutes(scoped, rooms);
    groupRoutes(scoped, rooms);
    agentRoutes(scoped, rooms);
    agentIntentRoutes(scoped, rooms);
    repositoryRoutes(scoped, rooms);
    placeTestRoutes(scoped, rooms);
    secretRoutes(scoped, rooms);
    signingKeyRoutes(scoped, rooms);
    policyRoutes(scoped, rooms);
    rolloutRoutes(scoped, rooms);
    commandRoutes(scoped, rooms);
    enrolmentRoutes(scoped, rooms);
    sessionRoutes(scoped, rooms);
    licenceRoutes(scoped, rooms);
    escrowRoutes(scoped, rooms);
    apiTokenRoutes(scoped, rooms);
    auditRoutes(scoped, rooms);
  });
}
