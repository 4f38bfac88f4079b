/** Every route of `/agent/v1`, behind the authentication of agents. */
import type { App } from "../http/http-app.ts";
import { type AuthenticationParts, authenticateAgents } from "./agent-authentication.ts";
import { type IdentityRouteParts, identityRoutes } from "./identity-routes.ts";

/** Routes of other rooms for agents. */
export type AgentRoutes = (scope: App) => void;

/** Registers the routes on `app`; `others` get the scope in which `request.agent` is set. */
export async function agentApiRoutes(
  app: App,
  parts: AuthenticationParts & IdentityRouteParts,
  others: readonly AgentRoutes[],
): Promise<void> {
  await app.register(async (scope) => {
    authenticateAgents(scope, parts);
    identityRoutes(scope, parts);
    for (const addRoutes of others) addRoutes(scope);
  });
}
