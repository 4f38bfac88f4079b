/** What `doctor` looks at inside the daemon. */
import type { Power, PowerAction } from "../../platform/ports/power.ts";
import type { SecretKeeper } from "../../platform/ports/secret-keeper.ts";
import type { Probe } from "../../platform/ports/system-events.ts";
import type { DoctorCheck } from "../../protocol/local-api/doctor-check.ts";
import type { RepositoryOrder, RouteAccount, RouteOrder } from "../../protocol/run-order.ts";
import { daemonChecks } from "../doctor/daemon-checks.ts";
import { machineChecks } from "../doctor/machine-checks.ts";
import type { DaemonPlaces } from "./daemon-places.ts";
import type { PolicyInForce } from "./policy-book.ts";
import type { RepositoryPlaces } from "./repository-places.ts";

export interface DaemonDoctorParts {
  readonly places: DaemonPlaces;
  readonly ownUid: number;
  readonly nowMs: () => number;
  readonly latestKnownMs: () => number | undefined;
  readonly inForce: () => ReadonlyMap<string, PolicyInForce>;
  readonly repositories: Pick<RepositoryPlaces, "of">;
  /** For an issued route. */
  readonly account: (route: RouteOrder) => Promise<RouteAccount>;
  readonly secrets: SecretKeeper;
  readonly secretsNeeded: () => readonly string[];
  readonly power: Power;
  readonly probes: () => ReadonlyMap<string, Probe>;
}

export async function daemonDoctor(
  parts: DaemonDoctorParts,
  signal: AbortSignal,
): Promise<readonly DoctorCheck[]> {
  const { places, ownUid, nowMs, latestKnownMs, inForce, secrets, power, probes } = parts;
  const policies = [...inForce().values()];
  const known = latestKnownMs();
  const { config, state, run, cache } = places;
  const machine = machineChecks({
    ownUid,
    nowMs: nowMs(),
    ...(known !== undefined && { latestKnownMs: known }),
    directories: [
      { path: config, purpose: "configuration" },
      { path: state, purpose: "state" },
      { path: run, purpose: "runtime" },
      ...(cache === undefined ? [] : [{ path: cache, purpose: "cache" as const }]),
    ],
  });
  const daemon = await daemonChecks(
    {
      targets: policies.map((found) => ({
        policy: found.name,
        place: found.policy.destination.repository,
        reach: async (end) => await reach(await parts.repositories.of(found), parts.account, end),
      })),
      secrets,
      secretsNeeded: parts.secretsNeeded(),
      power,
      powerActions: policies.flatMap(({ policy }) =>
        powerAction(policy.schedule.afterwards.action),
      ),
      probes: probes(),
    },
    signal,
  );
  return [...machine, ...daemon];
}

/** Asks the storage, by its first route, for the repository's configuration: there or not, it has answered. */
async function reach(
  { routes: [route] }: Pick<RepositoryOrder, "routes">,
  account: DaemonDoctorParts["account"],
  signal: AbortSignal,
): Promise<void> {
  // Only now: the storage of all kinds is much to load, and nobody asks for it in an idle daemon.
  const { openStore } = await import("../../storage/open-store.ts");
  const issued = route.issuedFor === undefined ? {} : (await account(route)).settings;
  const store = openStore(route.url, { environment: { ...route.settings, ...issued } });
  try {
    await store.stat({ type: "config", name: "" }, signal);
  } finally {
    await store.close();
  }
}

function powerAction(action: "keep-running" | PowerAction): PowerAction[] {
  return action === "keep-running" ? [] : [action];
}
