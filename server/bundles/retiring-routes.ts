/**
 * Routes that were replaced: each stays usable (its secrets, its storage, the accounts at the gateway) until every active
 * machine has said that it goes by a destination without it, or an administrator ends it.
 */
import type { Selectable } from "kysely";
import {
  type RepositoryRoute,
  type RetiringRoute,
  repositoryRoute,
  retiringRoute,
} from "../../protocol/control/repository-route.ts";
import type { Tables } from "../database/tables.ts";
import { knownRow, type TenantScope } from "../ground/resource-access.ts";
import type { Queries, ServerGround, ServerSettings } from "../ground/server-ground.ts";
import { routesForMachines } from "./destination-documents.ts";

type RepositoryRow = Selectable<Tables["repositories"]>;

/** A route with the number of active machines that may still go by it. */
export interface ShownRetiringRoute extends RetiringRoute {
  readonly unconfirmed: number;
}

/** Of a row of the database. */
export function retiringOf({ retiring }: Pick<RepositoryRow, "retiring">): RetiringRoute[] {
  return retiringRoute.array().parse(JSON.parse(retiring));
}

/** Every way by which machines may come: those of now, and those that were replaced. */
export function usableRoutes(row: Pick<RepositoryRow, "routes" | "retiring">): RepositoryRoute[] {
  return [...routesOf(row), ...retiringOf(row).map(({ route }) => route)];
}

/** What is retiring once a repository has become `after`; what machines see decides whether a route was replaced. */
export function retiringAfter(
  before: RepositoryRow,
  after: RepositoryRow,
  { settings, now }: Pick<ServerGround, "settings" | "now">,
): string {
  const seen = new Set(seenBy(settings, routesOf(after)));
  const isKept = (route: RepositoryRoute): boolean =>
    seenBy(settings, [route]).every((each) => seen.has(each));
  // What was never signed was never given to any machine.
  const replaced = before.destination === null ? [] : routesOf(before);
  const added = replaced.map((route) => ({ route, epoch: after.epoch, sinceMs: now() }));
  return JSON.stringify([...retiringOf(before), ...added].filter(({ route }) => !isKept(route)));
}

/** Those of a row, counted. */
export async function shownRetiring(
  queries: Queries,
  row: Pick<RepositoryRow, "id" | "retiring">,
): Promise<ShownRetiringRoute[]> {
  const shown: ShownRetiringRoute[] = [];
  for (const each of retiringOf(row))
    shown.push({ ...each, unconfirmed: await unconfirmed(queries, row.id, each.epoch) });
  return shown;
}

/** Ends all of a repository, whoever still goes by them. RESOURCE_UNKNOWN; nothing happens if there are none. */
export async function endRetiring(
  ground: ServerGround,
  actor: string,
  scope: TenantScope,
  id: string,
): Promise<void> {
  await end(ground, actor, id, scope, () => true);
}

/** Ends those that every active machine has left, in all repositories; returns how many repositories changed. */
export async function endConfirmed(ground: ServerGround): Promise<number> {
  const rows = await ground.database
    .selectFrom("repositories")
    .select("id")
    .where("retiring", "!=", "[]")
    .execute();
  let changed = 0;
  for (const { id } of rows)
    if (await end(ground, "server", id, null, ({ unconfirmed: left }) => left === 0)) changed += 1;
  return changed;
}

async function end(
  { database, audit }: ServerGround,
  actor: string,
  id: string,
  scope: TenantScope,
  isOver: (route: ShownRetiringRoute) => boolean,
): Promise<boolean> {
  return await database.transaction().execute(async (queries) => {
    let query = queries.selectFrom("repositories").selectAll().where("id", "=", id);
    if (scope !== null) query = query.where("tenant_id", "=", scope);
    const row = knownRow("repository", id, await query.executeTakeFirst());
    const shown = await shownRetiring(queries, row);
    const over = shown.filter(isOver);
    if (over.length === 0) return false;
    const left = shown.filter((each) => !over.includes(each));
    await queries
      .updateTable("repositories")
      .set({
        retiring: JSON.stringify(left.map(({ unconfirmed: _count, ...kept }) => kept)),
        version: row.version + 1,
      })
      .where("id", "=", id)
      .execute();
    await audit.record(queries, {
      tenantId: row.tenant_id,
      actor,
      action: "repository.retire-route",
      target: id,
      details: {
        name: row.name,
        routes: over.map(({ route }) => `${route.kind} ${route.url ?? ""}`.trim()).join(", "),
        unconfirmed: Math.max(...over.map((each) => each.unconfirmed)),
      },
    });
    return true;
  });
}

/** Machines that have a place in the repository, and go by an earlier destination or have not said. */
async function unconfirmed(queries: Queries, repositoryId: string, epoch: number): Promise<number> {
  const { machines } = await queries
    .selectFrom("machine_repositories as mine")
    .innerJoin("agents as agent", "agent.id", "mine.agent_id")
    .select(({ fn }) => fn.countAll().as("machines"))
    .where("mine.repository_id", "=", repositoryId)
    .where("agent.status", "=", "active")
    .where((test) =>
      test.or([
        test("mine.obeyed_epoch", "is", null),
        test.and([test("mine.obeyed_epoch", ">", 0), test("mine.obeyed_epoch", "<", epoch)]),
      ]),
    )
    .executeTakeFirstOrThrow();
  return Number(machines);
}

function routesOf({ routes }: Pick<RepositoryRow, "routes">): RepositoryRoute[] {
  return repositoryRoute.array().parse(JSON.parse(routes));
}

function seenBy(
  settings: Pick<ServerSettings, "publicUrls" | "pins">,
  routes: readonly RepositoryRoute[],
): string[] {
  return routesForMachines(routes, settings).map((route) => JSON.stringify(route));
}
