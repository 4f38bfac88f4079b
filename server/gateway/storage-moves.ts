/** What a repository is kept in may only change to where its data is already: nothing is moved by itself, nor begun anew. */
import path from "node:path";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { GatewayStorage } from "../../protocol/control/repository-route.ts";
import { openStore } from "../../storage/open-store.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import { FolderObjects } from "./folder-objects.ts";
import { countObjects } from "./gateway-objects.ts";
import { GatewayStores, type GatewayStoresParts } from "./gateway-stores.ts";

export interface StorageMovesParts {
  readonly ground: ServerGround;
  /** As `GatewayStoresParts.environment`. */
  readonly environment: GatewayStoresParts["environment"];
  readonly open?: GatewayStoresParts["open"];
}

export class StorageMoves {
  readonly #parts: StorageMovesParts;

  constructor(parts: StorageMovesParts) {
    this.#parts = parts;
  }

  /**
   * RESOURCE_STATE unless there are as many objects and bytes of each machine in `storage` (undefined: the folder of the
   * gateway) as are counted now. Lists them all, so it takes its time; SECRET_…, STORE_… if the storage can't be used.
   */
  async requireMoved(repositoryId: string, storage: GatewayStorage | undefined): Promise<void> {
    const { ground, environment, open = openStore } = this.#parts;
    const machines = await ground.database
      .selectFrom("machine_repositories")
      .select(["tenant_id", "agent_id", "stored_bytes", "stored_objects"])
      .where("repository_id", "=", repositoryId)
      .where("stored_objects", ">", 0)
      .execute();
    const folder = new FolderObjects(path.join(ground.settings.dataFolder, "repositories"));
    const stores = new GatewayStores({ ground, folder, open, environment });
    try {
      for (const row of machines) {
        const place = { tenantId: row.tenant_id, repositoryId, agentId: row.agent_id };
        const { objects, release } = await stores.hold(place, storage);
        const there = await countObjects(objects, place, ground.signal).finally(release);
        if (there.objects === row.stored_objects && there.bytes === row.stored_bytes) continue;
        throw new BackstayError("RESOURCE_STATE", {
          repository: repositoryId,
          machine: row.agent_id,
          problem: `it has ${row.stored_objects} objects (${row.stored_bytes} bytes), of which ${there.objects} (${there.bytes} bytes) are at the new place: copy them first, while no backup runs`,
        });
      }
    } finally {
      await stores.close();
    }
  }
}
