/**
 * Puts what was decided about a repository (maintenance, seals) beside the data of each machine that stores there, signed:
 * machines obey it also while this server is out of their reach. One object for each decision; none is ever replaced.
 */
import path from "node:path";
import type { Selectable } from "kysely";
import { type RepositoryRoute, secretOfRoute } from "../../protocol/control/repository-route.ts";
import { stateObjectName } from "../../protocol/control/repository-stand.ts";
import {
  type RepositoryStateDocument,
  repositoryModes,
} from "../../protocol/control/repository-state.ts";
import { storageSettings } from "../../protocol/storage-settings.ts";
import type { Handle } from "../../storage/object-store.ts";
import { openStore } from "../../storage/open-store.ts";
import { storeAddress } from "../../storage/store-address.ts";
import type { Tables } from "../database/tables.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import { tenantSecret } from "../ground/tenant-secret.ts";
import { FolderObjects } from "./folder-objects.ts";
import type { GatewayPlace } from "./gateway-objects.ts";
import { GatewayStores, type GatewayStoresParts } from "./gateway-stores.ts";

export interface StandNoticesParts {
  readonly ground: ServerGround;
  /** As `GatewayStoresParts.environment`. */
  readonly environment: GatewayStoresParts["environment"];
  /** Signs as the policy key; the same document always gives the same text. */
  readonly sign: (document: RepositoryStateDocument) => Promise<string>;
}

type RepositoryRow = Pick<
  Selectable<Tables["repositories"]>,
  "id" | "tenant_id" | "routes" | "modes" | "stand_number"
>;

const atOnceMax = 500;

export class StandNotices {
  readonly #parts: StandNoticesParts;

  constructor(parts: StandNoticesParts) {
    this.#parts = parts;
  }

  /**
   * Tells all machines that were not told. A storage that can't be reached, or where a machine has stored nothing yet, is
   * tried again with the next look. Paths of machines are out of this server's reach: there the bundle alone tells.
   */
  async look(): Promise<void> {
    const { ground, environment } = this.#parts;
    const decided = await ground.database
      .selectFrom("repositories")
      .select(["id", "tenant_id", "routes", "modes", "stand_number"])
      .where("stand_number", ">", 0)
      .execute();
    const folder = new FolderObjects(path.join(ground.settings.dataFolder, "repositories"));
    const stores = new GatewayStores({ ground, folder, open: openStore, environment });
    try {
      for (const row of decided) await this.#tell(stores, row);
    } finally {
      await stores.close();
    }
  }

  async #tell(stores: GatewayStores, row: RepositoryRow): Promise<void> {
    const { ground, sign } = this.#parts;
    const routes = JSON.parse(row.routes) as RepositoryRoute[];
    const route = routes.find(isInReach);
    if (route === undefined) return;
    const { id: repositoryId, tenant_id: tenantId, stand_number: number } = row;
    let text: Buffer | undefined;
    for (let after = ""; ; ) {
      const machines = await ground.database
        .selectFrom("machine_repositories")
        .select("agent_id")
        .where("repository_id", "=", repositoryId)
        .where("stored_stand", "<", number)
        .where("agent_id", ">", after)
        .orderBy("agent_id")
        .limit(atOnceMax)
        .execute();
      for (const { agent_id: agentId } of machines) {
        ground.signal.throwIfAborted();
        text ??= Buffer.from(
          await sign({
            type: "repository-state",
            tenantId,
            repositoryId,
            modes: repositoryModes.parse(JSON.parse(row.modes)),
            number,
            issuedMs: number * 1000,
          }),
        );
        const place = { tenantId, repositoryId, agentId };
        try {
          await this.#put(stores, place, route, number, text);
        } catch (error) {
          ground.log.failure(
            "A storage could not be told of a decision; it is tried again.",
            error,
          );
          return;
        }
      }
      if (machines.length < atOnceMax) return;
      after = machines.at(-1)?.agent_id ?? "";
    }
  }

  async #put(
    stores: GatewayStores,
    place: GatewayPlace,
    route: RepositoryRoute,
    number: number,
    text: Buffer,
  ): Promise<void> {
    const handle = { type: "backstay", name: stateObjectName(number) } as const;
    const isThere =
      route.kind === "gateway"
        ? await putByGateway(stores, place, route, handle, text)
        : await this.#putDirectly(place, route, handle, text);
    if (!isThere) return;
    await this.#parts.ground.database
      .updateTable("machine_repositories")
      .set((row) => ({
        stored_stand: number,
        // What a gateway keeps is counted.
        ...(route.kind === "gateway" && {
          stored_bytes: row("stored_bytes", "+", text.length),
          stored_objects: row("stored_objects", "+", 1),
        }),
      }))
      .where("agent_id", "=", place.agentId)
      .where("repository_id", "=", place.repositoryId)
      .where("stored_stand", "<", number)
      .execute();
  }

  async #putDirectly(
    { tenantId, agentId }: GatewayPlace,
    route: Extract<RepositoryRoute, { readonly kind: "direct" }>,
    handle: Handle,
    text: Buffer,
  ): Promise<boolean> {
    const { ground, environment } = this.#parts;
    const secret = secretOfRoute(route);
    const value =
      secret === undefined
        ? undefined
        : await tenantSecret(ground.database, ground, tenantId, secret);
    const account =
      value === undefined ? {} : storageSettings(secret ?? "", value.toString("utf8"));
    const url = route.url.replaceAll("{tenant}", tenantId).replaceAll("{agent}", agentId);
    const store = openStore(url, { environment: { ...environment, ...account } });
    try {
      if ((await store.stat({ type: "config", name: "" }, ground.signal)) === undefined)
        return false;
      await store.save(handle, text, ground.signal);
      return true;
    } finally {
      await store.close();
    }
  }
}

/** This server's own gateway, or an object storage: no path of the machine, and no server that keeps only restic's files. */
function isInReach(route: RepositoryRoute): boolean {
  return route.kind === "gateway"
    ? route.url === undefined
    : !["local", "rest"].includes(storeAddress(route.url).scheme);
}

/** False for a machine that has stored nothing yet. */
async function putByGateway(
  stores: GatewayStores,
  place: GatewayPlace,
  route: Extract<RepositoryRoute, { readonly kind: "gateway" }>,
  handle: Handle,
  text: Buffer,
): Promise<boolean> {
  const { objects, release } = await stores.hold(place, route.storage);
  try {
    if ((await objects.stat(place, { type: "config", name: "" })) === undefined) return false;
    await objects.receive(place, handle, text.length, oneOf(text));
    return true;
  } finally {
    release();
  }
}

async function* oneOf(text: Buffer): AsyncGenerator<Uint8Array> {
  yield text;
}
