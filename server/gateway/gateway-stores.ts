/**
 * The objects of each repository: the folder, or a store that is opened when it is first asked for, shared by the machines
 * of the repository, and closed when nobody has asked for a while, or its route or its account is another.
 */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { GatewayStorage } from "../../protocol/control/repository-route.ts";
import { storageSettings } from "../../protocol/storage-settings.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import type { OpenStoreOptions } from "../../storage/open-store.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import { tenantSecret } from "../ground/tenant-secret.ts";
import type { GatewayObjects, GatewayPlace } from "./gateway-objects.ts";
import { refusal } from "./gateway-problems.ts";
import { storageOf } from "./gateway-storage.ts";
import { StoreObjects } from "./store-objects.ts";

export interface GatewayStoresParts {
  readonly ground: ServerGround;
  /** Undefined: it is at another server. */
  readonly folder: GatewayObjects | undefined;
  readonly open: (address: string, options: OpenStoreOptions) => ObjectStore;
  /** By which proxies this server gets out, and whom it trusts, as variables of the environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly limits?: StoreLimits | undefined;
}

export interface StoreLimits {
  /** Open stores that nobody is using are closed beyond so many. */
  readonly openMax: number;
  readonly idleMs: number;
}

const usualLimits: StoreLimits = { openMax: 32, idleMs: 5 * 60_000 };

/** Objects that are in use until they are released. */
export interface HeldObjects {
  readonly objects: GatewayObjects;
  readonly release: () => void;
}

interface OpenStore {
  readonly store: ObjectStore;
  readonly objects: GatewayObjects;
  /** What it was opened with. */
  readonly key: string;
  users: number;
  /** When it was last used; of those in use, when that began. */
  usedMs: number;
}

export class GatewayStores {
  readonly #parts: GatewayStoresParts;
  readonly #limits: StoreLimits;
  /** By repository, the one that was used longest ago first. */
  readonly #stores = new Map<string, OpenStore>();
  readonly #look: NodeJS.Timeout;

  constructor(parts: GatewayStoresParts) {
    this.#parts = parts;
    this.#limits = parts.limits ?? usualLimits;
    this.#look = setInterval(
      () => this.#closeIdle(),
      Math.min(60_000, this.#limits.idleMs),
    ).unref();
  }

  /** Throws the Problem to answer with, SECRET_…, or what opening a store throws. */
  async hold(
    { tenantId, repositoryId }: GatewayPlace,
    storage: GatewayStorage | undefined,
  ): Promise<HeldObjects> {
    if (storage === undefined) return { objects: this.#folder(), release: () => undefined };
    const { key, environment } = await this.#account(tenantId, storage);
    const { url, storageClass = "" } = storage;
    const store = this.#opened(repositoryId, `${storageClass}\n${key}`, () =>
      this.#parts.open(url, {
        environment: { ...this.#parts.environment, ...environment },
        ...(storageClass !== "" && { storageClass }),
      }),
    );
    store.users += 1;
    let isHeld = true;
    return {
      objects: store.objects,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        store.users -= 1;
        store.usedMs = performance.now();
        if (this.#stores.get(repositoryId) !== store) this.#close(store);
        else this.#closeIdle();
      },
    };
  }

  /** Does something with the objects of a place, by the routes that its repository has now. */
  async with<T>(place: GatewayPlace, act: (objects: GatewayObjects) => Promise<T>): Promise<T> {
    const row = await this.#parts.ground.database
      .selectFrom("repositories")
      .select(["routes", "retiring"])
      .where("id", "=", place.repositoryId)
      .executeTakeFirst();
    if (row === undefined)
      throw new BackstayError("RESOURCE_UNKNOWN", { repository: place.repositoryId });
    const { objects, release } = await this.hold(place, storageOf(row));
    try {
      return await act(objects);
    } finally {
      release();
    }
  }

  /** To be called when all requests have ended. */
  async close(): Promise<void> {
    clearInterval(this.#look);
    for (const store of this.#stores.values()) await store.store.close();
    this.#stores.clear();
  }

  #folder(): GatewayObjects {
    const { folder } = this.#parts;
    if (folder !== undefined) return folder;
    throw refusal("gateway-elsewhere", undefined, { "retry-after": "60", connection: "close" });
  }

  /** Settings of a storage's account, and a key that is another once anything of it is another. */
  async #account(
    tenantId: string,
    { url, secret }: GatewayStorage,
  ): Promise<{ readonly key: string; readonly environment: Readonly<Record<string, string>> }> {
    if (secret === undefined) return { key: url, environment: {} };
    const { ground } = this.#parts;
    const value = await tenantSecret(ground.database, ground, tenantId, secret);
    if (value === undefined) throw new BackstayError("SECRET_MISSING", { secret });
    const text = value.toString("utf8");
    return { key: `${url}\n${text}`, environment: storageSettings(secret, text) };
  }

  #opened(repositoryId: string, key: string, open: () => ObjectStore): OpenStore {
    const known = this.#stores.get(repositoryId);
    if (known !== undefined) this.#stores.delete(repositoryId);
    if (known?.key === key) {
      this.#stores.set(repositoryId, known);
      return known;
    }
    if (known !== undefined) this.#close(known);
    const store = open();
    const opened = {
      store,
      objects: new StoreObjects(store),
      key,
      users: 0,
      usedMs: performance.now(),
    };
    this.#stores.set(repositoryId, opened);
    return opened;
  }

  #closeIdle(): void {
    const oldestMs = performance.now() - this.#limits.idleMs;
    for (const [repositoryId, store] of this.#stores) {
      if (store.users > 0) continue;
      if (this.#stores.size <= this.#limits.openMax && store.usedMs > oldestMs) continue;
      this.#stores.delete(repositoryId);
      this.#close(store);
    }
  }

  /** Of a store that is in use: the last who releases it does it. */
  #close(store: OpenStore): void {
    if (store.users > 0) return;
    store.store.close().catch((error: unknown) => {
      this.#parts.ground.log.failure("A store of the gateway could not be closed.", error);
    });
  }
}
