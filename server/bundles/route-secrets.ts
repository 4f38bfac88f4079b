/**
 * Accounts that routes name: some go to machines, some are the server's own, with which it makes accounts for machines or
 * stores what comes to the gateway. None is ever both.
 */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type RepositoryRoute, secretOfRoute } from "../../protocol/control/repository-route.ts";
import { type PolicyDocument, policy } from "../../protocol/policy/policy.ts";
import { secretReferences } from "../../protocol/policy/secret-references.ts";
import type { Queries } from "../ground/server-ground.ts";
import { missingSecrets } from "../ground/tenant-secret.ts";

interface RoutesRow {
  /** JSON. */
  readonly routes: string;
}

/** Names of the secrets that the server keeps to itself. */
export function secretsOfServer(rows: readonly RoutesRow[]): Set<string> {
  return namedBy(rows, true);
}

/**
 * RESOURCE_INVALID for routes that name a secret that is not there, that name the server's own account of another route for
 * machines, or the other way round.
 */
export async function requireRouteSecrets(
  queries: Queries,
  { id, tenant_id }: { readonly id: string; readonly tenant_id: string },
  routes: readonly RepositoryRoute[],
): Promise<void> {
  const named = new Set(routes.flatMap((route) => secretOfRoute(route) ?? []));
  if (named.size === 0) return;
  const [secret] = await missingSecrets(queries, tenant_id, [...named]);
  if (secret !== undefined)
    throw new BackstayError("RESOURCE_INVALID", { field: "routes", secret });
  const others = await queries
    .selectFrom("repositories")
    .select("routes")
    .where("tenant_id", "=", tenant_id)
    .where("id", "!=", id)
    .execute();
  const all = [...others, { routes: JSON.stringify(routes) }];
  const policies = await queries
    .selectFrom("policies")
    .select("document")
    .where("tenant_id", "=", tenant_id)
    .execute();
  const given = policies.flatMap(({ document }) =>
    secretReferences(policy.parse(JSON.parse(document) as PolicyDocument)),
  );
  const forMachines = namedBy(all, false).union(new Set(given));
  for (const each of namedBy(all, true).intersection(forMachines))
    if (named.has(each)) throw isBoth("routes", each);
}

/** RESOURCE_INVALID if one of the names is the server's own account. */
export async function requireForMachines(
  queries: Queries,
  tenantId: string,
  names: readonly string[],
): Promise<void> {
  const rows = await queries
    .selectFrom("repositories")
    .select("routes")
    .where("tenant_id", "=", tenantId)
    .execute();
  for (const secret of secretsOfServer(rows).intersection(new Set(names)))
    throw isBoth("secret", secret);
}

function namedBy(rows: readonly RoutesRow[], ofServer: boolean): Set<string> {
  const routes = rows.flatMap((row) => JSON.parse(row.routes) as RepositoryRoute[]);
  const isWanted = (route: RepositoryRoute): boolean =>
    (route.kind === "gateway" || route.issuer !== undefined) === ofServer;
  return new Set(routes.filter(isWanted).flatMap((route) => secretOfRoute(route) ?? []));
}

function isBoth(field: string, secret: string): BackstayError {
  const problem = "the server keeps this account to itself: machines need another one";
  return new BackstayError("RESOURCE_INVALID", { field, secret, problem });
}
