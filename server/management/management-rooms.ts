/** The rooms that the management API is made of: made once by server/serve, shared with the agents' API. */
import type { ApiTokens } from "../access/api-tokens.ts";
import type { Agents } from "../fleet/agents.ts";
import type { Groups } from "../fleet/groups.ts";
import type { Tenants } from "../fleet/tenants.ts";
import type { AuditLog } from "../ground/audit-log.ts";
import type { ServerGround } from "../ground/server-ground.ts";

export interface ManagementRooms {
  readonly ground: ServerGround;
  readonly audit: AuditLog;
  readonly tokens: ApiTokens;
  readonly tenants: Tenants;
  readonly groups: Groups;
  readonly agents: Agents;
}
