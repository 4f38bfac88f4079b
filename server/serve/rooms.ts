/** Makes the rooms of the server, each once, and puts their routes on the listener. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { signDocument } from "../../protocol/control/signed-document.ts";
import { ApiTokens } from "../access/api-tokens.ts";
import { authorise } from "../access/authorise.ts";
import { Policies } from "../bundles/policies.ts";
import { Repositories } from "../bundles/repositories.ts";
import { Secrets } from "../bundles/secrets.ts";
import { SigningKeys } from "../bundles/signing-keys.ts";
import { CommandUploads } from "../commands/command-uploads.ts";
import { Commands } from "../commands/commands.ts";
import { Agents } from "../fleet/agents.ts";
import { Groups } from "../fleet/groups.ts";
import { Tenants } from "../fleet/tenants.ts";
import type { AuditLog } from "../ground/audit-log.ts";
import type { PeriodicTask } from "../ground/periodic-tasks.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import type { App } from "../http/http-app.ts";
import { forgetOldIdempotencyKeys } from "../http/idempotency.ts";
import { managementApi } from "../management/management-api.ts";
import type { ManagementRooms } from "../management/management-rooms.ts";

const hourMs = 3_600_000;

/** What the routes of all interfaces share. */
export interface Rooms extends ManagementRooms {
  /** What the server does by itself from time to time. */
  readonly tasks: readonly PeriodicTask[];
}

/** Makes the rooms on a ground, and the first keys in a database that has none. */
export async function makeRooms(
  ground: ServerGround & { readonly audit: AuditLog },
): Promise<Rooms> {
  const signingKeys = new SigningKeys(ground);
  await signingKeys.prepare();
  return {
    ground,
    audit: ground.audit,
    tokens: new ApiTokens(ground),
    tenants: new Tenants(ground),
    groups: new Groups(ground),
    agents: new Agents(ground),
    repositories: new Repositories(ground, signingKeys),
    secrets: new Secrets(ground),
    signingKeys,
    policies: new Policies(ground),
    commands: new Commands(ground, async (queries) => {
      const key = (await signingKeys.ring(queries)).signer("policy");
      if (key === undefined) throw new BackstayError("RESOURCE_STATE", { key: "policy" });
      return (command) => signDocument("command", command, key);
    }),
    uploads: new CommandUploads(ground),
    tasks: [
      {
        name: "old idempotency keys",
        everyMs: hourMs,
        run: async () => await forgetOldIdempotencyKeys(ground),
      },
    ],
  };
}

/** Registers every route. */
export async function registerRoutes(app: App, rooms: Rooms): Promise<void> {
  authorise(app, rooms.tokens);
  await managementApi(app, rooms);
}
