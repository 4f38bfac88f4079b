/** The rooms that the management API is made of: made once by server/serve, shared with the agents' API. */
import type { ApiTokens } from "../access/api-tokens.ts";
import type { AgentIntents } from "../bundles/agent-intents.ts";
import type { MachineRepositories } from "../bundles/machine-repositories.ts";
import type { Policies } from "../bundles/policies.ts";
import type { Repositories } from "../bundles/repositories.ts";
import type { Rollouts } from "../bundles/rollouts.ts";
import type { Secrets } from "../bundles/secrets.ts";
import type { SigningKeys } from "../bundles/signing-keys.ts";
import type { CommandUploads } from "../commands/command-uploads.ts";
import type { Commands } from "../commands/commands.ts";
import type { Escrow } from "../escrow/escrow.ts";
import type { Agents } from "../fleet/agents.ts";
import type { EnrolmentTokens } from "../fleet/enrolment-tokens.ts";
import type { Enrolments } from "../fleet/enrolments.ts";
import type { Groups } from "../fleet/groups.ts";
import type { IdentityConflicts } from "../fleet/identity-conflicts.ts";
import type { Tenants } from "../fleet/tenants.ts";
import type { AuditLog } from "../ground/audit-log.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import type { Licences } from "../licence/licences.ts";
import type { MachineStates } from "../reports/machine-states.ts";
import type { ReportedSessions } from "../reports/reported-sessions.ts";

export interface ManagementRooms {
  readonly ground: ServerGround;
  readonly audit: AuditLog;
  readonly tokens: ApiTokens;
  readonly tenants: Tenants;
  readonly groups: Groups;
  readonly agents: Agents;
  readonly intents: AgentIntents;
  readonly machineRepositories: MachineRepositories;
  readonly repositories: Repositories;
  readonly secrets: Secrets;
  readonly signingKeys: SigningKeys;
  readonly policies: Policies;
  readonly commands: Commands;
  readonly rollouts: Rollouts;
  readonly uploads: CommandUploads;
  readonly enrolmentTokens: EnrolmentTokens;
  readonly enrolments: Enrolments;
  readonly identityConflicts: IdentityConflicts;
  readonly reported: ReportedSessions;
  readonly states: MachineStates;
  readonly licences: Licences;
  readonly escrow: Escrow;
}
