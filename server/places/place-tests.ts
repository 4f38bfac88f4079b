/** Tests of the places that repositories are in: really done, with the account of the route, before anybody depends on them. */
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { RepositoryRoute } from "../../protocol/control/repository-route.ts";
import {
  type PlaceTestAnswer,
  type TestedPlace,
  testedPlace,
} from "../../protocol/management/place-tests.ts";
import { storageSettings } from "../../protocol/storage-settings.ts";
import { openInspection } from "../../storage/open-inspection.ts";
import type { PlaceFinding } from "../../storage/place-finding.ts";
import { storeAddress } from "../../storage/store-address.ts";
import { knownRow, type TenantScope } from "../ground/resource-access.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import { tenantSecret } from "../ground/tenant-secret.ts";

export interface PlaceTestsParts {
  readonly ground: ServerGround;
  /** By which proxies this server gets out, and whom it trusts, as variables of the environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Most that one place may take; 60 s unless given. */
  readonly placeMs?: number;
}

/** A place with the secret of its account. */
interface Place {
  readonly route: "gateway" | "direct";
  readonly url: string;
  readonly secret: string | undefined;
  /** Machines may lock what they store there. */
  readonly mayLock: boolean;
  /** Of packs that a gateway stores there. */
  readonly storageClass: string | undefined;
}

const usualPlaceMs = 60_000;
/** Stands for a machine in addresses that have one. */
const testMachine = "backstay-test";

export class PlaceTests {
  readonly #parts: PlaceTestsParts;

  constructor(parts: PlaceTestsParts) {
    this.#parts = parts;
  }

  /** The last test of a repository. RESOURCE_UNKNOWN. */
  async last(scope: TenantScope, id: string): Promise<PlaceTestAnswer> {
    await this.#repository(scope, id);
    const row = await this.#parts.ground.database
      .selectFrom("repository_tests")
      .select(["tested_ms", "places"])
      .where("repository_id", "=", id)
      .executeTakeFirst();
    if (row === undefined) return { testedMs: null, places: [] };
    const places = testedPlace.array().parse(JSON.parse(row.places));
    return { testedMs: row.tested_ms, places };
  }

  /** Tests all places of a repository, and keeps what was found. RESOURCE_UNKNOWN. */
  async test(actor: string, scope: TenantScope, id: string): Promise<PlaceTestAnswer> {
    const { database, audit } = this.#parts.ground;
    const { tenant_id: tenantId, name, routes } = await this.#repository(scope, id);
    const answer = await this.testRoutes(tenantId, JSON.parse(routes) as RepositoryRoute[]);
    await database.transaction().execute(async (queries) => {
      const columns = {
        tested_ms: answer.testedMs ?? 0,
        places: JSON.stringify(answer.places),
      };
      await queries
        .insertInto("repository_tests")
        .values({ repository_id: id, ...columns })
        .onConflict((conflict) => conflict.column("repository_id").doUpdateSet(columns))
        .execute();
      await audit.record(queries, {
        tenantId,
        actor,
        action: "repository.test",
        target: id,
        details: { name, bad: countOf(answer, "bad"), warnings: countOf(answer, "warning") },
      });
    });
    return answer;
  }

  /** Tests places that no repository has yet; nothing is kept. */
  async testRoutes(tenantId: string, routes: readonly RepositoryRoute[]): Promise<PlaceTestAnswer> {
    const testedMs = this.#parts.ground.now();
    const places = placesOf(tenantId, routes).map(
      async (place): Promise<TestedPlace> => ({
        route: place.route,
        place: place.url,
        findings: await this.#findings(tenantId, place),
      }),
    );
    return { testedMs, places: await Promise.all(places) };
  }

  async #findings(
    tenantId: string,
    { url, secret, mayLock, storageClass }: Place,
  ): Promise<PlaceFinding[]> {
    if (storeAddress(url).scheme === "local")
      return [
        {
          check: "reach",
          verdict: "unknown",
          found: "It is a path of each machine, where this server can't look.",
          remedy: "Run `backstay doctor` on a machine, or its first backup.",
        },
      ];
    const { ground, environment, placeMs = usualPlaceMs } = this.#parts;
    const found: PlaceFinding[] = [];
    const deadline = AbortSignal.timeout(placeMs);
    const signal = AbortSignal.any([ground.signal, deadline]);
    try {
      const account = await this.#account(tenantId, secret);
      const inspection = openInspection(url, {
        environment: { ...environment, ...account },
        // Nothing is locked by a test: it is told only what is wanted.
        ...(mayLock && { retention: { mode: "governance", days: 1 } }),
        ...(storageClass !== undefined && { storageClass }),
      });
      try {
        for await (const finding of inspection.findings(signal)) found.push(finding);
      } finally {
        await inspection.close();
      }
    } catch (error) {
      if (deadline.aborted) return [...found, tooSlow(placeMs)];
      if (!isBackstayError(error)) throw error;
      found.push({
        check: "reach",
        verdict: "bad",
        found: error.message,
        remedy: error.remedy,
      });
    }
    return found;
  }

  async #account(
    tenantId: string,
    secret: string | undefined,
  ): Promise<Readonly<Record<string, string>>> {
    if (secret === undefined) return {};
    const { ground } = this.#parts;
    const value = await tenantSecret(ground.database, ground, tenantId, secret);
    if (value === undefined) throw new BackstayError("SECRET_MISSING", { secret });
    return storageSettings(secret, value.toString("utf8"));
  }

  async #repository(scope: TenantScope, id: string) {
    let query = this.#parts.ground.database
      .selectFrom("repositories")
      .select(["tenant_id", "name", "routes"])
      .where("id", "=", id);
    if (scope !== null) query = query.where("tenant_id", "=", scope);
    return knownRow("repository", id, await query.executeTakeFirst());
  }
}

/** Each once; the gateway's folder is no place that could be wrong by what people say. */
function placesOf(tenantId: string, routes: readonly RepositoryRoute[]): Place[] {
  const places = new Map<string, Place>();
  for (const route of routes) {
    const { url, secret } = route.kind === "direct" ? route : (route.storage ?? {});
    if (url === undefined) continue;
    const filled = url.replaceAll("{tenant}", tenantId).replaceAll("{agent}", testMachine);
    const key = `${route.kind} ${filled} ${secret}`;
    const isToLock = mayLockIn(route) || places.get(key)?.mayLock === true;
    const storageClass = route.kind === "gateway" ? route.storage?.storageClass : undefined;
    places.set(key, { route: route.kind, url: filled, secret, mayLock: isToLock, storageClass });
  }
  return [...places.values()];
}

function mayLockIn(route: RepositoryRoute): boolean {
  if (route.kind === "gateway") return route.storage?.mayLock === true;
  const { issuer } = route;
  return issuer !== undefined && "mayLock" in issuer && issuer.mayLock === true;
}

function tooSlow(placeMs: number): PlaceFinding {
  return {
    check: "reach",
    verdict: "bad",
    found: `It took longer than ${Math.round(placeMs / 1000)} s to answer everything.`,
    remedy: "Look at the way to it: proxies, firewalls, the load of the storage.",
  };
}

function countOf({ places }: PlaceTestAnswer, verdict: string): number {
  return places.flatMap(({ findings }) => findings).filter((each) => each.verdict === verdict)
    .length;
}
