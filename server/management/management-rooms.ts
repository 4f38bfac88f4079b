/** The rooms that the management API is made of: made once by server/serve, shared with the agents' API. */
import type { ApiTokens } from "../access/api-tokens.ts";
import type { Policies } from "../bundles/policies.ts";
import type { Repositories } from "../bundles/repositories.ts";
import type { Secrets } from "../bundles/secrets.ts";
import type { SigningKeys } from "../bundles/signing-keys.ts";
import type { CommandUploads } from "../commands/command-uploads.ts";
import type { Commands } from "../commands/commands.ts";
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
  readonly repositories: Repositories;
  readonly secrets: Secrets;
  readonly signingKeys: SigningKeys;
  readonly policies: Policies;
  readonly commands: Commands;
  readonly uploads: CommandUploads;
}
