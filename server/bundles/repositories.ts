/** Repositories: where the data of a tenant's machines goes. A change counts once its destination is signed. */
import { randomUUIDv7 } from "node:crypto";
import type { Selectable } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  type DestinationDocument,
  destinationDocument,
  repositoryScheme,
} from "../../protocol/control/bundle.ts";
import {
  type GatewayStorage,
  type RepositoryRoute,
  storageOfRoutes,
} from "../../protocol/control/repository-route.ts";
import type { RepositoryModes } from "../../protocol/control/repository-stand.ts";
import { signDocument, unverifiedContent } from "../../protocol/control/signed-document.ts";
import type { Tables } from "../database/tables.ts";
import {
  knownRow,
  type Page,
  requireVersion,
  type TenantScope,
  tenantRows,
} from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { raiseTenantRevision } from "../ground/tenant-revision.ts";
import {
  isSameDestination,
  isSignedBy,
  requireSignatureOf,
  routesForMachines,
} from "./destination-documents.ts";
import {
  type MemberStand,
  memberStand,
  membersOf,
  modesOf,
  poolOf,
  requireMembers,
} from "./pool-members.ts";
import {
  retiringAfter,
  type ShownRetiringRoute,
  shownRetiring,
  usableRoutes,
} from "./retiring-routes.ts";
import { requireRouteSecrets } from "./route-secrets.ts";
import { requireStorage } from "./route-storage.ts";
import type { KeyRing, SigningKeys } from "./signing-keys.ts";

/** For each machine; absent: without limit. */
export interface RepositoryQuotas {
  readonly storedBytesMax?: number | undefined;
  readonly storedBytesWarn?: number | undefined;
}

export interface RepositorySettings {
  readonly name: string;
  /** In the order in which machines try them; none for a pool. */
  readonly routes: readonly RepositoryRoute[];
  /** Of a pool: names of the repositories that it consists of, each with routes of its own. Absent: as they are. */
  readonly members?: readonly string[] | undefined;
  /** Absent: as they are. */
  readonly modes?: RepositoryModes | undefined;
  readonly quotas: RepositoryQuotas;
}

export interface Repository extends RepositorySettings, MemberStand {
  readonly members: readonly string[];
  readonly modes: RepositoryModes;
  readonly id: string;
  readonly tenantId: string;
  /** Routes that were replaced, and that some machines may still go by. */
  readonly retiring: readonly ShownRetiringRoute[];
  /** Of the newest destination, signed or waiting. */
  readonly epoch: number;
  /** What awaits the signature of the holder of the destination key; machines know nothing of it until then. */
  readonly unsigned: DestinationDocument | null;
  /** False before the first signature: policies that name it reach no machine. */
  readonly isUsable: boolean;
  readonly createdMs: number;
  readonly version: number;
}

/** Knows what lies where the gateway keeps files. */
export interface DataMoves {
  /** RESOURCE_STATE unless all that is stored in the repository is in `storage` already; undefined: the gateway's folder. */
  requireMoved(repositoryId: string, storage: GatewayStorage | undefined): Promise<void>;
}

type RepositoryRow = Selectable<Tables["repositories"]>;

export class Repositories {
  readonly #ground: ServerGround;
  readonly #keys: SigningKeys;
  readonly #moves: DataMoves | undefined;

  constructor(ground: ServerGround, keys: SigningKeys, moves?: DataMoves) {
    this.#ground = ground;
    this.#keys = keys;
    this.#moves = moves;
  }

  async list(
    scope: TenantScope,
    page: Page,
    filter: { name?: string | undefined } = {},
  ): Promise<Repository[]> {
    const rows = await tenantRows(this.#ground.database, "repositories", scope, page, {
      name: filter.name,
    }).execute();
    return await this.#shown(rows);
  }

  /** RESOURCE_UNKNOWN if there is none that the asker may see. */
  async get(scope: TenantScope, id: string): Promise<Repository> {
    return (await this.#shown([await readRow(this.#ground.database, scope, id)]))[0];
  }

  /** RESOURCE_EXISTS if the tenant has one of the name, RESOURCE_INVALID for secrets that are not there. */
  async create(actor: string, tenantId: string, settings: RepositorySettings): Promise<Repository> {
    const now = this.#ground.now();
    const row: RepositoryRow = {
      id: randomUUIDv7(),
      tenant_id: tenantId,
      ...columnsOf(settings),
      ...standOf(settings.modes, undefined, now),
      retiring: "[]",
      epoch: 0,
      destination: null,
      unsigned: null,
      created_ms: now,
      version: 1,
    };
    requireStorage(settings.routes);
    const made = await this.#change(actor, "repository.create", tenantId, async (queries) => {
      await requireFreeName(queries, row);
      await requireMembers(queries, row, undefined);
      await requireRouteSecrets(queries, row, settings.routes);
      const signed = this.#directed(row, await this.#keys.ring(queries));
      await queries.insertInto("repositories").values(signed).execute();
      return signed;
    });
    return (await this.#shown([made]))[0];
  }

  /**
   * RESOURCE_CHANGED if it is no longer at that version, RESOURCE_EXISTS if the new name is taken, RESOURCE_IN_USE for
   * another name while policies use the old one, RESOURCE_STATE if the gateway would look for its data where it is not.
   */
  async replace(
    actor: string,
    scope: TenantScope,
    id: string,
    version: number,
    settings: RepositorySettings,
  ): Promise<Repository> {
    const known = await readRow(this.#ground.database, scope, id);
    requireVersion("repository", known, version);
    requireStorage(settings.routes);
    await this.#requireMoved(known, settings.routes);
    const tenantId = known.tenant_id;
    const made = await this.#change(actor, "repository.update", tenantId, async (queries) => {
      const before = await readRow(queries, scope, id);
      requireVersion("repository", before, version);
      if (before.name !== settings.name) await requireUnused(queries, before);
      const stand = standOf(settings.modes, before, this.#ground.now());
      const members = settings.members ?? membersOf(before);
      const columns = columnsOf({ ...settings, members });
      const row = { ...before, ...columns, ...stand, version: version + 1 };
      await requireFreeName(queries, row);
      await requireMembers(queries, row, before);
      await requireRouteSecrets(queries, row, settings.routes);
      const signed = this.#directed(row, await this.#keys.ring(queries));
      const next = { ...signed, retiring: retiringAfter(before, signed, this.#ground) };
      await writeRow(queries, next, version);
      return next;
    });
    return (await this.#shown([made]))[0];
  }

  /** Takes a signature for what waits, made with the offline key. SIGNED_…, RESOURCE_INVALID, RESOURCE_STATE if nothing waits. */
  async acceptSignature(
    actor: string,
    scope: TenantScope,
    id: string,
    jws: string,
  ): Promise<Repository> {
    const { tenantId } = await this.get(scope, id);
    const made = await this.#change(actor, "repository.sign", tenantId, async (queries) => {
      const before = await readRow(queries, scope, id);
      const waiting = waitingOf(before);
      if (waiting === null) throw new BackstayError("RESOURCE_STATE", { repository: before.name });
      requireSignatureOf(jws, waiting, (await this.#keys.ring(queries)).known("destination"));
      const row = { ...before, destination: jws, unsigned: null, version: before.version + 1 };
      await writeRow(queries, row, before.version);
      return row;
    });
    return (await this.#shown([made]))[0];
  }

  /** RESOURCE_IN_USE while a policy names it. What is stored in it stays where it is. */
  async remove(actor: string, scope: TenantScope, id: string, version: number): Promise<void> {
    const { tenantId } = await this.get(scope, id);
    await this.#change(actor, "repository.remove", tenantId, async (queries) => {
      const row = await readRow(queries, scope, id);
      requireVersion("repository", row, version);
      await requireUnused(queries, row);
      await queries.deleteFrom("repositories").where("id", "=", id).execute();
      return row;
    });
  }

  /**
   * Signs again whatever this server's addresses, pins or destination keys have made different. To be called at start,
   * when the certificate has changed, and after a change of destination keys. Returns how many changed. All are signed
   * again, under higher epochs, if it `isAnew`.
   */
  async refresh(actor: string, { isAnew = false } = {}): Promise<number> {
    const { database } = this.#ground;
    const ids = await database.selectFrom("repositories").select(["id", "tenant_id"]).execute();
    let changed = 0;
    for (const { id, tenant_id: tenantId } of ids) {
      const before = await readRow(database, null, id);
      const row = this.#directed(before, await this.#keys.ring(), isAnew);
      if (row === before) continue;
      await this.#change(actor, "repository.refresh", tenantId, async (queries) => {
        await writeRow(queries, { ...row, version: before.version + 1 }, before.version);
        return row;
      });
      changed += 1;
    }
    return changed;
  }

  /** The row with the destination that follows from its settings: signed if the key is here, else waiting. Itself if it has that. */
  #directed(row: RepositoryRow, ring: KeyRing, isAnew = false): RepositoryRow {
    // Machines are sent to its members, each of which is signed for itself.
    if (membersOf(row).length > 0) return row;
    const now = this.#ground.now();
    const known = ring.known("destination");
    const wanted: DestinationDocument = {
      type: "destination",
      tenantId: row.tenant_id,
      repositoryId: row.id,
      name: row.name,
      epoch: Math.max(row.epoch + 1, Math.floor(now / 1000)),
      routes: routesForMachines(JSON.parse(row.routes) as RepositoryRoute[], this.#ground.settings),
      issuedMs: now,
    };
    const signed = row.destination === null ? undefined : contentOf(row.destination);
    if (!isAnew && signed !== undefined && isSameDestination(signed, wanted)) {
      const isCurrent = isSignedBy(row.destination ?? "", known.slice(0, 1));
      if (isCurrent && row.unsigned === null) return row;
      if (isCurrent) return { ...row, unsigned: null };
    }
    const signer = ring.signer("destination");
    if (signer !== undefined) {
      const destination = signDocument("destination", wanted, signer);
      return { ...row, epoch: wanted.epoch, destination, unsigned: null };
    }
    const waiting = waitingOf(row);
    if (!isAnew && waiting !== null && isSameDestination(waiting, wanted)) return row;
    return { ...row, epoch: wanted.epoch, unsigned: JSON.stringify(wanted) };
  }

  /** Before the change, as it may take long. */
  async #requireMoved(before: RepositoryRow, routes: readonly RepositoryRoute[]): Promise<void> {
    const storage = storageOfRoutes(routes);
    const hasGateway = routes.some(({ kind }) => kind === "gateway");
    if (!hasGateway || storage?.url === storageOfRoutes(usableRoutes(before))?.url) return;
    if (this.#moves === undefined)
      throw new BackstayError("RESOURCE_STATE", {
        repository: before.name,
        problem: "nobody here can look whether its data is at the new place",
      });
    await this.#moves.requireMoved(before.id, storage);
  }

  async #shown(rows: readonly RepositoryRow[]): Promise<Repository[]> {
    const { database } = this.#ground;
    return await Promise.all(
      rows.map(async (row) => {
        const retiring = await shownRetiring(database, row);
        return { ...repositoryOf(row), retiring, ...(await memberStand(database, row)) };
      }),
    );
  }

  async #change(
    actor: string,
    action: string,
    tenantId: string,
    work: (queries: Queries) => Promise<RepositoryRow>,
  ): Promise<RepositoryRow> {
    const row = await this.#ground.database.transaction().execute(async (queries) => {
      const made = await work(queries);
      await raiseTenantRevision(queries, tenantId);
      const { id: target, name, epoch, unsigned } = made;
      const awaitsSignature = unsigned === null ? 0 : 1;
      const details = { name, epoch, awaitsSignature, modes: modesOf(made).join(", ") };
      await this.#ground.audit.record(queries, { tenantId, actor, action, target, details });
      return made;
    });
    await this.#ground.wakeups.publish(`tenant:${tenantId}`);
    return row;
  }
}

/** Of a document that this server signed or accepted itself. */
function contentOf(jws: string): DestinationDocument {
  return destinationDocument.parse(unverifiedContent(jws));
}

function waitingOf({ unsigned }: RepositoryRow): DestinationDocument | null {
  return unsigned === null ? null : destinationDocument.parse(JSON.parse(unsigned));
}

async function readRow(queries: Queries, scope: TenantScope, id: string): Promise<RepositoryRow> {
  let query = queries.selectFrom("repositories").selectAll().where("id", "=", id);
  if (scope !== null) query = query.where("tenant_id", "=", scope);
  return knownRow("repository", id, await query.executeTakeFirst());
}

async function writeRow(queries: Queries, row: RepositoryRow, version: number): Promise<void> {
  const { numUpdatedRows } = await queries
    .updateTable("repositories")
    .set(row)
    .where("id", "=", row.id)
    .where("version", "=", version)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw new BackstayError("RESOURCE_CHANGED", { repository: row.id });
}

async function requireFreeName(queries: Queries, row: RepositoryRow): Promise<void> {
  const other = await queries
    .selectFrom("repositories")
    .select("id")
    .where("tenant_id", "=", row.tenant_id)
    .where("name", "=", row.name)
    .where("id", "!=", row.id)
    .executeTakeFirst();
  if (other !== undefined) throw new BackstayError("RESOURCE_EXISTS", { repository: row.name });
}

async function requireUnused(queries: Queries, row: RepositoryRow): Promise<void> {
  const policies = await queries
    .selectFrom("policies")
    .select(["name", "document", "previous_document", "rollout"])
    .where("tenant_id", "=", row.tenant_id)
    .execute();
  const address = `${repositoryScheme}${row.name}`;
  const user = policies.find((policy) =>
    [policy.document, policy.rollout === null ? null : policy.previous_document].some(
      (document) =>
        document !== null &&
        (JSON.parse(document) as { destination: { repository: string } }).destination.repository ===
          address,
    ),
  );
  if (user !== undefined)
    throw new BackstayError("RESOURCE_IN_USE", { repository: row.name, policy: user.name });
  const pool = await poolOf(queries, row);
  if (pool !== undefined)
    throw new BackstayError("RESOURCE_IN_USE", { repository: row.name, pool });
}

/** RESOURCE_INVALID if a gateway would have to choose. */
function columnsOf(
  settings: RepositorySettings,
): Pick<RepositoryRow, "name" | "routes" | "members" | "quotas"> {
  const { name, routes, members = [], quotas } = settings;
  return {
    name,
    routes: JSON.stringify(routes),
    members: JSON.stringify(members),
    quotas: JSON.stringify(quotas),
  };
}

/** Another number for other modes. */
function standOf(
  modes: RepositoryModes | undefined,
  before: RepositoryRow | undefined,
  nowMs: number,
): Pick<RepositoryRow, "modes" | "stand_number"> {
  const { modes: known, stand_number: number } = before ?? { modes: "[]", stand_number: 0 };
  const wanted = modes === undefined ? known : JSON.stringify([...new Set(modes)].toSorted());
  if (wanted === known) return { modes: known, stand_number: number };
  return { modes: wanted, stand_number: Math.max(number + 1, Math.floor(nowMs / 1000)) };
}

function repositoryOf(row: RepositoryRow): Omit<Repository, "retiring" | keyof MemberStand> {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    routes: JSON.parse(row.routes) as RepositoryRoute[],
    members: membersOf(row),
    quotas: JSON.parse(row.quotas) as RepositoryQuotas,
    epoch: row.epoch,
    unsigned: waitingOf(row),
    isUsable: row.destination !== null || membersOf(row).length > 0,
    createdMs: row.created_ms,
    version: row.version,
  };
}
