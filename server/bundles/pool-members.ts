/** What holds for pools (repositories that consist of others) and for the stand of their members. */
import type { Selectable } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { RepositoryModes } from "../../protocol/control/repository-stand.ts";
import { repositoryModes } from "../../protocol/control/repository-state.ts";
import type { Tables } from "../database/tables.ts";
import type { Queries } from "../ground/server-ground.ts";

type RepositoryRow = Selectable<Tables["repositories"]>;

/** Machines of a repository, and those that a change of its modes waits for. */
export interface MemberStand {
  readonly modes: RepositoryModes;
  readonly standNumber: number;
  /** Active machines that store there, now or before. */
  readonly machines: number;
  /** Those of them whose sessions still run there, or that have not said yet that they obey. */
  readonly pending: number;
}

/** Names of the repositories that a pool consists of; empty for any other. */
export function membersOf({ members }: Pick<RepositoryRow, "members">): string[] {
  return JSON.parse(members) as string[];
}

/** Of a row of the database. */
export function modesOf({ modes }: Pick<RepositoryRow, "modes">): RepositoryModes {
  return repositoryModes.parse(JSON.parse(modes));
}

/**
 * Before a row is written in the place of `before` (undefined: a new one). RESOURCE_INVALID for a repository that has both
 * routes and members, or neither, for members that are not there or are pools, and for modes of a pool; RESOURCE_STATE if a
 * pool would become something else; RESOURCE_IN_USE for a member that machines store in.
 */
export async function requireMembers(
  queries: Queries,
  row: RepositoryRow,
  before: RepositoryRow | undefined,
): Promise<void> {
  const members = membersOf(row);
  const isPool = members.length > 0;
  if (isPool === (row.routes !== "[]"))
    throw invalid("members", "a repository has routes, or members in their place");
  if (before !== undefined && membersOf(before).length > 0 !== isPool)
    throw new BackstayError("RESOURCE_STATE", {
      repository: row.name,
      problem: "a pool stays one, and nothing else becomes one",
    });
  if (!isPool) return;
  if (row.modes !== "[]") throw invalid("modes", "they are for the members of a pool");
  if (new Set(members).size < members.length) throw invalid("members", "one is named twice");
  const found = await queries
    .selectFrom("repositories")
    .select(["id", "name", "members"])
    .where("tenant_id", "=", row.tenant_id)
    .execute();
  for (const name of members) {
    const member = found.find((each) => each.name === name);
    if (member === undefined || membersOf(member).length > 0)
      throw invalid("members", `${name} is no repository with routes`);
  }
  const dropped =
    before === undefined ? [] : membersOf(before).filter((name) => !members.includes(name));
  const ids = found.filter(({ name }) => dropped.includes(name)).map(({ id }) => id);
  if (ids.length === 0) return;
  const placed = await queries
    .selectFrom("placements")
    .select("repository_id")
    .where("pool_id", "=", row.id)
    .where("repository_id", "in", ids)
    .executeTakeFirst();
  if (placed !== undefined)
    throw new BackstayError("RESOURCE_IN_USE", {
      repository: row.name,
      member: found.find(({ id }) => id === placed.repository_id)?.name ?? "",
      problem: "machines store there: seal it",
    });
}

/** Name of a pool that the repository is a member of, if there is one. */
export async function poolOf(
  queries: Queries,
  { tenant_id: tenantId, name }: Pick<RepositoryRow, "tenant_id" | "name">,
): Promise<string | undefined> {
  const pools = await queries
    .selectFrom("repositories")
    .select(["name", "members"])
    .where("tenant_id", "=", tenantId)
    .where("members", "!=", "[]")
    .execute();
  return pools.find((pool) => membersOf(pool).includes(name))?.name;
}

/** How many machines there are, and how many a decision waits for. */
export async function memberStand(queries: Queries, row: RepositoryRow): Promise<MemberStand> {
  const number = row.stand_number;
  const { machines, pending } = await queries
    .selectFrom("machine_repositories as mine")
    .innerJoin("agents as agent", "agent.id", "mine.agent_id")
    .select((test) => [
      test.fn.countAll().as("machines"),
      test.fn
        .sum(
          test
            .case()
            .when(
              test.or([
                test("mine.obeyed_epoch", "is", null),
                test.and([
                  test("mine.obeyed_epoch", ">", 0),
                  test.or([
                    test("mine.is_busy", "=", 1),
                    test(test.fn.coalesce("mine.obeyed_stand", test.lit(0)), "<", number),
                  ]),
                ]),
              ]),
            )
            .then(1)
            .else(0)
            .end(),
        )
        .as("pending"),
    ])
    .where("mine.repository_id", "=", row.id)
    .where("agent.status", "=", "active")
    .executeTakeFirstOrThrow();
  return {
    modes: modesOf(row),
    standNumber: number,
    machines: Number(machines),
    pending: number === 0 ? 0 : Number(pending ?? 0),
  };
}

function invalid(field: string, problem: string): BackstayError {
  return new BackstayError("RESOURCE_INVALID", { field, problem });
}
