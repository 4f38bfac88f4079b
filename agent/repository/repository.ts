/**
 * An open repository: the door to everything in it. Format 2 is read and written, format 1 only read.
 * Nobody outside this folder knows a byte of the format.
 */
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { FileType, ObjectStore } from "../../storage/object-store.ts";
import { BlobLoader, type TakeDamagedPack } from "./blob/blob-loader.ts";
import { MetadataCache } from "./cache/metadata-cache.ts";
import {
  configBytesMax,
  decodeConfig,
  encodeConfig,
  generateConfig,
  type RepositoryConfig,
} from "./config/repository-config.ts";
import { generateMasterKey, type MasterKey } from "./crypto/master-key.ts";
import { Sealer, sha256 } from "./crypto/sealed-bytes.ts";
import { idToHex } from "./id.ts";
import type { BlobTable } from "./index/blob-table.ts";
import { loadIndex, saveTable } from "./index/index-loader.ts";
import type { IndexWriter } from "./index/index-writer.ts";
import type { KeyInfo } from "./key/key-file.ts";
import { addKey, openMasterKey } from "./key/key-ring.ts";
import type { ScryptParameters } from "./key/scrypt.ts";
import { type LockOptions, RepositoryLock } from "./lock/repository-lock.ts";
import {
  assertStoredSize,
  decodeUnpacked,
  encodeUnpacked,
  type UnpackedType,
  unpackedLimits,
} from "./unpacked-file.ts";

export interface OpenOptions {
  readonly password: Uint8Array;
  /** Folder that holds the caches of all repositories; undefined: no cache. */
  readonly cacheRoot?: string | undefined;
  /** Told of each pack that is damaged where its blobs could be had from other packs. */
  readonly damagedPack?: TakeDamagedPack | undefined;
  readonly signal: AbortSignal;
}

const configHandle = { type: "config", name: "" } as const;

export class Repository {
  readonly store: ObjectStore;
  readonly config: RepositoryConfig;
  readonly masterKey: MasterKey;
  readonly sealer: Sealer;
  readonly cache: MetadataCache | undefined;
  /** The key file that the password opened. */
  readonly key: KeyInfo;
  #table: BlobTable | undefined;
  #indexFiles: readonly string[] = [];
  /** Packs of the table that these index files name; NaN if a damaged file may name others. */
  #indexedPacks = 0;
  #loader: BlobLoader | undefined;
  readonly #damagedPack: TakeDamagedPack | undefined;

  private constructor(parts: {
    store: ObjectStore;
    config: RepositoryConfig;
    masterKey: MasterKey;
    sealer: Sealer;
    cache: MetadataCache | undefined;
    key: KeyInfo;
    damagedPack: TakeDamagedPack | undefined;
  }) {
    this.store = parts.store;
    this.config = parts.config;
    this.masterKey = parts.masterKey;
    this.sealer = parts.sealer;
    this.cache = parts.cache;
    this.key = parts.key;
    this.#damagedPack = parts.damagedPack;
  }

  /**
   * Makes a new repository of format 2 in an empty place. A creation that was cut off after its key file is
   * completed if the password opens that key; any other content rejects with REPOSITORY_EXISTS.
   */
  static async init(
    store: ObjectStore,
    options: OpenOptions & { scrypt?: ScryptParameters },
  ): Promise<Repository> {
    const { password, signal, scrypt } = options;
    await store.create(signal);
    if ((await store.stat(configHandle, signal)) !== undefined) throw exists(store, "config");
    for (const type of ["snapshots", "index", "data"] as const)
      if (await hasAny(store, type, signal)) throw exists(store, type);
    let master = await keyOfCutOffCreation(store, password, signal);
    let keyId: string | undefined;
    if (master === undefined) {
      master = generateMasterKey();
      keyId = await addKey(store, master, password, signal, scrypt);
    }
    await saveConfig(store, master, keyId, signal);
    return await Repository.open(store, options);
  }

  /** Opens a repository: REPOSITORY_MISSING, WRONG_PASSWORD, KEY_UNUSABLE, REPOSITORY_DAMAGED or REPOSITORY_UNSUPPORTED. */
  static async open(store: ObjectStore, options: OpenOptions): Promise<Repository> {
    const { password, signal } = options;
    const size = await store.stat(configHandle, signal);
    if (size === undefined) throw await missing(store, signal);
    if (size > configBytesMax)
      throw new BackstayError("REPOSITORY_DAMAGED", { file: "config", problem: "it is too large" });
    const stored = await store.load(configHandle, undefined, signal);
    // Two creations at once leave two keys, of which one opens the config.
    const fits = (key: MasterKey): boolean => new Sealer(key).open(stored) !== undefined;
    const { master, info } = await openMasterKey(store, password, signal, fits);
    const sealer = new Sealer(master);
    const config = decodeConfig(sealer, stored);
    const cache =
      options.cacheRoot === undefined
        ? undefined
        : await MetadataCache.open(options.cacheRoot, config.id);
    const { damagedPack } = options;
    return new Repository({
      store,
      config,
      masterKey: master,
      sealer,
      cache,
      key: info,
      damagedPack,
    });
  }

  get id(): string {
    return this.config.id;
  }

  get version(): 1 | 2 {
    return this.config.version;
  }

  /** REPOSITORY_UNSUPPORTED if this repository is only read. */
  assertWritable(): void {
    if (this.version === 1)
      throw new BackstayError("REPOSITORY_UNSUPPORTED", {
        version: 1,
        problem: "format 1 is read only here; `restic migrate upgrade_repo_v2` makes it format 2",
      });
  }

  /** The blobs of all index files; `loadIndex` must have been called. */
  get blobs(): BlobTable {
    if (this.#table === undefined)
      throw new BackstayError("INTERNAL", { problem: "the index is not loaded" });
    return this.#table;
  }

  /** Hex ids of the index files in `blobs`. */
  get indexFiles(): readonly string[] {
    return this.#indexFiles;
  }

  /**
   * Loads the index. List snapshots before, or one that is finished meanwhile seems broken. A damaged index file
   * rejects with REPOSITORY_DAMAGED, or is told to `damaged` and left out.
   */
  async loadIndex(signal: AbortSignal, damaged?: (error: BackstayError) => void): Promise<void> {
    const { table, files, isWhole } = await loadIndex(this, signal, damaged);
    this.#table = table;
    this.#indexFiles = files;
    this.#indexedPacks = isWhole ? table.packCount : Number.NaN;
    this.#loader = new BlobLoader(
      this.store,
      this.cache,
      table,
      this.sealer,
      this.masterKey,
      this.#damagedPack,
    );
  }

  /**
   * Tells that `index` has stored all that it was told, so that the next start need not decode its files. Ignored if
   * the table has packs that no index file names: they would count as stored for ever.
   */
  async noteIndexFiles(index: Pick<IndexWriter, "written" | "packsWritten">): Promise<void> {
    if (this.#indexedPacks + index.packsWritten !== this.blobs.packCount) return;
    this.#indexedPacks += index.packsWritten;
    this.#indexFiles = [...this.#indexFiles, ...index.written];
    await saveTable(this.cache, { table: this.blobs, files: this.#indexFiles });
  }

  /** The JSON bytes of the tree whose id stands at `ids[offset]`, checked. See `BlobLoader.load` for errors. */
  async loadTree(ids: Uint8Array, signal: AbortSignal, offset = 0): Promise<Uint8Array> {
    return await this.#blobLoader().load(ids, offset, true, signal);
  }

  /** The bytes of a data blob, checked. */
  async loadBlob(ids: Uint8Array, signal: AbortSignal, offset = 0): Promise<Uint8Array> {
    return await this.#blobLoader().load(ids, offset, false, signal);
  }

  /** The JSON of an index, snapshot or lock file; checks its name. Rejects as `ObjectStore.load`, or REPOSITORY_DAMAGED. */
  async loadUnpacked(type: UnpackedType, name: string, signal: AbortSignal): Promise<Uint8Array> {
    const file = `${type}/${name}`;
    const kind = type === "snapshots" ? type : undefined;
    const limits = unpackedLimits[type];
    const cached = kind === undefined ? undefined : await this.cache?.load(kind, name);
    if (kind !== undefined && cached !== undefined) {
      if (this.#isNamed(cached, name)) return decodeUnpacked(this.sealer, cached, file, limits);
      await this.cache?.remove(kind, name);
    }
    const size = await this.store.stat({ type, name }, signal);
    if (size !== undefined) assertStoredSize(size, file, limits);
    const stored = await this.store.load({ type, name }, undefined, signal);
    if (!this.#isNamed(stored, name))
      throw new BackstayError("REPOSITORY_DAMAGED", {
        file,
        problem: "its content is not what its name says",
      });
    if (kind !== undefined) await this.cache?.save(kind, name, stored);
    return decodeUnpacked(this.sealer, stored, file, limits);
  }

  /** Stores a snapshot file; resolves with its hex id. */
  async saveSnapshot(json: Uint8Array, signal: AbortSignal): Promise<string> {
    this.assertWritable();
    const stored = encodeUnpacked(this.sealer, json, this.version);
    const name = idToHex(sha256(this.sealer.codec, stored));
    await this.store.save({ type: "snapshots", name }, stored, signal);
    await this.cache?.save("snapshots", name, stored);
    return name;
  }

  /** Takes the repository's lock; see `RepositoryLock.acquire`. */
  async lock(options: LockOptions): Promise<RepositoryLock> {
    return await RepositoryLock.acquire(this, options);
  }

  /** Writes the lock file; see `RepositoryLock.begin`. */
  async beginLock(options: LockOptions): Promise<RepositoryLock> {
    return await RepositoryLock.begin(this, options);
  }

  #isNamed(stored: Uint8Array, name: string): boolean {
    return idToHex(sha256(this.sealer.codec, stored)) === name;
  }

  #blobLoader(): BlobLoader {
    if (this.#loader === undefined)
      throw new BackstayError("INTERNAL", { problem: "the index is not loaded" });
    return this.#loader;
  }
}

async function hasAny(store: ObjectStore, type: FileType, signal: AbortSignal): Promise<boolean> {
  for await (const _ of store.list(type, signal)) return true;
  return false;
}

/** The master key of a creation that got no further than its key file; undefined if there is no key file. */
async function keyOfCutOffCreation(
  store: ObjectStore,
  password: Uint8Array,
  signal: AbortSignal,
): Promise<MasterKey | undefined> {
  if (!(await hasAny(store, "keys", signal))) return undefined;
  try {
    return (await openMasterKey(store, password, signal)).master;
  } catch (error) {
    if (isBackstayError(error, "WRONG_PASSWORD") || isBackstayError(error, "KEY_UNUSABLE"))
      throw exists(store, "keys");
    throw error;
  }
}

/** Saves a new config. If another creation was first, the key file `keyId` that fits nothing is taken back. */
async function saveConfig(
  store: ObjectStore,
  master: MasterKey,
  keyId: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const sealer = new Sealer(master);
  try {
    await store.save(configHandle, encodeConfig(sealer, generateConfig()), signal);
  } catch (error) {
    if (!isBackstayError(error, "STORE_EXISTS")) throw error;
    const other = await store.load(configHandle, undefined, signal);
    // It may have completed with our key: then that key is its only one.
    if (keyId !== undefined && sealer.open(other) === undefined)
      await store.remove({ type: "keys", name: keyId }, signal);
    throw exists(store, "config");
  }
}

/** What to say where there is no config: maybe a creation was cut off. */
async function missing(store: ObjectStore, signal: AbortSignal): Promise<BackstayError> {
  const isCutOff = await hasAny(store, "keys", signal);
  return new BackstayError("REPOSITORY_MISSING", {
    repository: store.location,
    ...(isCutOff
      ? { problem: "there are keys but no config, as after a creation that was cut off" }
      : {}),
  });
}

function exists(store: ObjectStore, found: string): BackstayError {
  return new BackstayError("REPOSITORY_EXISTS", { repository: store.location, found });
}
