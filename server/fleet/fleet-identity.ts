/** The parts of the fleet that deal with who is who, made together: server/serve makes them once, the APIs share them. */
import type { PeriodicTask } from "../ground/periodic-tasks.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import { AgentIdentities } from "./agent-identities.ts";
import { EnrolmentTokens } from "./enrolment-tokens.ts";
import { type EnrolmentNeeds, Enrolments } from "./enrolments.ts";
import { IdentityConflicts } from "./identity-conflicts.ts";
import { IdentityForks } from "./identity-forks.ts";
import { Presence, presenceEveryMs } from "./presence.ts";
import { RequestNonces } from "./request-nonces.ts";

export interface FleetIdentity {
  readonly enrolmentTokens: EnrolmentTokens;
  readonly enrolments: Enrolments;
  readonly conflicts: IdentityConflicts;
  readonly identities: AgentIdentities;
  readonly forks: IdentityForks;
  readonly nonces: RequestNonces;
  /** `flush` it once more when the server stops. */
  readonly presence: Presence;
  /** For `PeriodicTasks`. */
  readonly tasks: readonly PeriodicTask[];
}

const pruneEveryMs = 60_000;

export function makeFleetIdentity(ground: ServerGround, needs: EnrolmentNeeds): FleetIdentity {
  const conflicts = new IdentityConflicts(ground);
  const presence = new Presence(ground, conflicts);
  const identities = new AgentIdentities(ground);
  const enrolments = new Enrolments(ground, needs);
  const nonces = new RequestNonces(ground);
  const tasks: readonly PeriodicTask[] = [
    {
      name: "presence",
      everyMs: presenceEveryMs,
      isOfEach: true,
      run: async () => await presence.flush(),
    },
    {
      name: "identity-pruning",
      everyMs: pruneEveryMs,
      run: async () => {
        await nonces.prune();
        await conflicts.prune();
      },
    },
  ];
  return {
    enrolmentTokens: new EnrolmentTokens(ground),
    enrolments,
    conflicts,
    identities,
    forks: new IdentityForks(ground, enrolments, identities),
    nonces,
    presence,
    tasks,
  };
}
