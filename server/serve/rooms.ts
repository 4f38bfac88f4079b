/** Makes the rooms of the server, each once, and puts their routes on the listener. */
import { Gauge, type Registry } from "prom-client";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type SigningKey, signDocument } from "../../protocol/control/signed-document.ts";
import { ApiTokens } from "../access/api-tokens.ts";
import { authorise } from "../access/authorise.ts";
import { agentApiRoutes } from "../agent-api/agent-routes.ts";
import { bundleRoutes } from "../agent-api/bundle-routes.ts";
import { BundleTurns } from "../agent-api/bundle-turns.ts";
import { storageAccountRoute } from "../agent-api/storage-account-route.ts";
import { syncRoutes } from "../agent-api/sync-routes.ts";
import { WakeDesk } from "../agent-api/wake-desk.ts";
import { AgentIntents } from "../bundles/agent-intents.ts";
import { Bundles } from "../bundles/bundles.ts";
import { MachineRepositories } from "../bundles/machine-repositories.ts";
import { Policies } from "../bundles/policies.ts";
import { Repositories } from "../bundles/repositories.ts";
import { Rollouts } from "../bundles/rollouts.ts";
import { Secrets } from "../bundles/secrets.ts";
import { SigningKeys } from "../bundles/signing-keys.ts";
import { CommandUploads } from "../commands/command-uploads.ts";
import { type CommandSigner, Commands } from "../commands/commands.ts";
import { ServerSchedule } from "../commands/server-schedule.ts";
import { Escrow } from "../escrow/escrow.ts";
import { Agents } from "../fleet/agents.ts";
import { type FleetIdentity, makeFleetIdentity } from "../fleet/fleet-identity.ts";
import { Groups } from "../fleet/groups.ts";
import { Tenants } from "../fleet/tenants.ts";
import { StandNotices } from "../gateway/stand-notices.ts";
import { StorageMoves } from "../gateway/storage-moves.ts";
import type { AuditLog } from "../ground/audit-log.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import type { App } from "../http/http-app.ts";
import { readIssuer } from "../licence/licence-issuers.ts";
import { Licences } from "../licence/licences.ts";
import { managementApi } from "../management/management-api.ts";
import type { ManagementRooms } from "../management/management-rooms.ts";
import { PlaceTests } from "../places/place-tests.ts";
import { MachineStates } from "../reports/machine-states.ts";
import { ReportInbox } from "../reports/report-inbox.ts";
import { ReportedSessions } from "../reports/reported-sessions.ts";
import { ServerMemory } from "../reports/server-memory.ts";
import { StatusInbox } from "../reports/status-inbox.ts";
import { StorageAccounts } from "../storage-accounts/storage-accounts.ts";
import type { ServerOptions } from "./server-options.ts";

/** What the routes of all interfaces share. */
export interface Rooms extends ManagementRooms {
  readonly fleet: FleetIdentity;
  readonly bundles: Bundles;
  readonly accounts: StorageAccounts;
  readonly schedule: ServerSchedule;
  readonly memory: ServerMemory;
  readonly standNotices: StandNotices;
  readonly wakes: WakeDesk;
  readonly statuses: StatusInbox;
  readonly reports: ReportInbox;
}

/** Makes the rooms on a ground, and the first keys in a database that has none. LICENCE_INVALID for an issuer's file that is none. `isBehind`: see BundleTurns. */
export async function makeRooms(
  ground: ServerGround & { readonly audit: AuditLog },
  {
    licenceIssuerFile,
    storageEnvironment = {},
  }: Pick<ServerOptions, "licenceIssuerFile" | "storageEnvironment"> = {},
  isBehind: () => boolean = () => false,
): Promise<Rooms> {
  const issuer = licenceIssuerFile === undefined ? undefined : await readIssuer(licenceIssuerFile);
  const signingKeys = new SigningKeys(ground);
  await signingKeys.prepare();
  const licences = new Licences(ground, issuer);
  const fleet = makeFleetIdentity(ground, {
    rootKey: async () => await signingKeys.rootKey(),
    admission: async (queries, _tenantId, kind) => await licences.requireRoom(queries, kind),
  });
  const signer = commandSigner(signingKeys);
  return {
    ground,
    audit: ground.audit,
    tokens: new ApiTokens(ground),
    tenants: new Tenants(ground),
    groups: new Groups(ground),
    agents: new Agents(ground),
    intents: new AgentIntents(ground),
    machineRepositories: new MachineRepositories(ground),
    fleet,
    enrolmentTokens: fleet.enrolmentTokens,
    enrolments: fleet.enrolments,
    identityConflicts: fleet.conflicts,
    repositories: new Repositories(
      ground,
      signingKeys,
      new StorageMoves({ ground, environment: storageEnvironment }),
    ),
    placeTests: new PlaceTests({ ground, environment: storageEnvironment }),
    secrets: new Secrets(ground),
    signingKeys,
    policies: new Policies(ground),
    rollouts: new Rollouts(ground),
    bundles: new Bundles({
      ground,
      keys: signingKeys,
      licence: async (queries) => await licences.terms(queries),
    }),
    accounts: new StorageAccounts({ ground, environment: storageEnvironment }),
    standNotices: new StandNotices({
      ground,
      environment: storageEnvironment,
      sign: async (document) =>
        signDocument("repository-state", document, await policyKey(signingKeys)),
    }),
    commands: new Commands(ground, signer),
    schedule: new ServerSchedule(ground, signer),
    uploads: new CommandUploads(ground),
    reported: new ReportedSessions(ground),
    states: new MachineStates(ground),
    memory: new ServerMemory(ground),
    wakes: new WakeDesk(ground, new BundleTurns(isBehind)),
    statuses: new StatusInbox(ground),
    reports: new ReportInbox(ground),
    licences,
    escrow: new Escrow(ground),
  };
}

/** Registers the routes of both APIs. */
export async function registerRoutes(app: App, rooms: Rooms): Promise<void> {
  authorise(app, rooms.tokens);
  await managementApi(app, rooms);
  await agentApiRoutes(app, rooms, [
    (scope) => bundleRoutes(scope, rooms),
    (scope) => storageAccountRoute(scope, rooms),
    (scope) => syncRoutes(scope, rooms),
  ]);
}

/** Adds figures of the rooms to `metrics`. */
export function measureRooms({ wakes, states }: Rooms, metrics: Registry): void {
  new Gauge({
    name: "backstay_wake_requests_held",
    help: "Wake requests of agents that this process holds.",
    registers: [metrics],
    collect() {
      this.set(wakes.held);
    },
  });
  new Gauge({
    name: "backstay_machines",
    help: "Machines of all tenants by state, as the fleet overview has them.",
    labelNames: ["state"],
    registers: [metrics],
    async collect() {
      const { byState } = await states.overview(null);
      for (const [state, count] of Object.entries(byState)) this.set({ state }, count);
    },
  });
}

function commandSigner(signingKeys: SigningKeys): CommandSigner {
  return async (queries) => {
    const key = await policyKey(signingKeys, queries);
    return (command) => signDocument("command", command, key);
  };
}

async function policyKey(signingKeys: SigningKeys, queries?: Queries): Promise<SigningKey> {
  const key = (await signingKeys.ring(queries)).signer("policy");
  if (key === undefined) throw new BackstayError("RESOURCE_STATE", { key: "policy" });
  return key;
}
