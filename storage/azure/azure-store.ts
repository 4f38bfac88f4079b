/** A store in a container of Azure Blob Storage, below a prefix, in restic's default layout. */
import { createHash } from "node:crypto";
import type { BlobGetPropertiesResponse } from "@azure/storage-blob";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { AccountSource } from "../account-source.ts";
import {
  assertFileType,
  assertHandle,
  assertLoad,
  assertRead,
  isFileName,
} from "../handle-name.ts";
import {
  type ByteRange,
  type FileType,
  type Handle,
  handlePath,
  type ObjectStore,
  type RetentionLocks,
  type StoreCapabilities,
  type StoredFile,
  type StreamedObjects,
} from "../object-store.ts";
import type { PrefixedPlace } from "../prefixed-place.ts";
import type { RequestCounts } from "../request-counts.ts";
import type { RetentionRule } from "../retention-lock.ts";
import { type AzureEnvironment, azurePlace } from "./azure-address.ts";
import { AzureConnection } from "./azure-connection.ts";
import { AzureDownloads } from "./azure-downloads.ts";
import { azureWord } from "./azure-errors.ts";
import { AzureLocks } from "./azure-locks.ts";
import { AzureUploads, type AzureWriteRules } from "./azure-uploads.ts";

export interface AzureStoreOptions {
  readonly environment: AzureEnvironment;
  readonly accounts?: AccountSource | undefined;
  readonly counts?: RequestCounts | undefined;
  readonly retention?: RetentionRule | undefined;
  /** `Hot`, `Cool`, `Cold` or `Archive`, for packs. */
  readonly storageClass?: string | undefined;
  /** So long nothing may move in a request, ms; 2 minutes unless given. */
  readonly silenceMs?: number | undefined;
}

/** As restic. */
const connectionsLiked = 5;
const pageEntriesMax = 5000;
const tiers = ["Hot", "Cool", "Cold", "Archive"];

/** `place` is what follows `azure:`. USAGE if it is none, if the environment names no account, or for an unknown tier. */
export function openAzureStore(place: string, options: AzureStoreOptions): ObjectStore {
  const at = azurePlace(place);
  const { storageClass, retention } = options;
  const packTier = tiers.find((tier) => tier.toLowerCase() === storageClass?.toLowerCase());
  if (storageClass !== undefined && packTier === undefined)
    throw new BackstayError("USAGE", {
      problem: `azure: a storage class is one of ${tiers.join(", ")}`,
    });
  const connection = new AzureConnection({ ...options, ...at });
  return new AzureStore(connection, at, { retention, packTier });
}

class AzureStore implements ObjectStore {
  readonly location: string;
  readonly retentionLocks: RetentionLocks;
  readonly streamed: StreamedObjects;
  readonly capabilities: StoreCapabilities = {
    connections: connectionsLiked,
    atomicCreate: true,
    ownObjects: true,
  };
  readonly #connection: AzureConnection;
  readonly #place: PrefixedPlace;
  readonly #rules: AzureWriteRules;
  readonly #uploads: AzureUploads;
  readonly #downloads: AzureDownloads;
  #wasSeen = false;

  constructor(connection: AzureConnection, place: PrefixedPlace, rules: AzureWriteRules) {
    const { location, prefix } = place;
    this.location = location;
    this.#connection = connection;
    this.#place = place;
    this.#rules = rules;
    this.#uploads = new AzureUploads(connection, prefix, rules);
    this.#downloads = new AzureDownloads(connection, prefix);
    this.retentionLocks = new AzureLocks(connection, prefix, rules.retention?.mode ?? "governance");
    this.streamed = {
      receive: async (handle, sizeBytes, source, signal) => {
        assertHandle(handle);
        signal.throwIfAborted();
        return await this.#uploads.receive(handle, sizeBytes, source, signal);
      },
      open: async (handle, range, signal) => {
        assertRead(handle, range, signal);
        return await this.#downloads.open(handle, range, signal);
      },
    };
  }

  below(path: string, retention = this.#rules.retention): ObjectStore {
    const { container, prefix } = this.#place;
    const place = azurePlace(`${container}:${prefix}${path}`);
    const store = new AzureStore(this.#connection, place, { ...this.#rules, retention });
    store.close = async () => undefined;
    return store;
  }

  /** An account that may not make containers, or ask for their properties, can use one that is there. */
  async create(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { prefix } = this.#place;
    await this.#connection.call({}, signal, async (container) => {
      const pages = container.listBlobsFlat({ prefix, abortSignal: signal });
      try {
        await pages.byPage({ maxPageSize: 1 }).next();
      } catch (error) {
        if (azureWord(error) !== "ContainerNotFound") throw error;
        await container.createIfNotExists({ abortSignal: signal });
      }
    });
  }

  async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    signal.throwIfAborted();
    const outcome = await this.#uploads.save(handle, data, signal);
    this.#wasSeen = true;
    if (outcome === "exists" && !(await this.#holds(handle, data, signal)))
      throw new BackstayError("STORE_EXISTS", { file: handlePath(handle) });
  }

  async load(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    assertLoad(handle, range, signal);
    try {
      const data = await this.#downloads.load(handle, range, signal);
      this.#wasSeen = true;
      return data;
    } catch (error) {
      this.#refuseGone(error);
      throw new BackstayError("STORE_NOT_FOUND", { file: handlePath(handle) });
    }
  }

  async *list(type: FileType, signal: AbortSignal): AsyncIterable<StoredFile> {
    assertFileType(type);
    signal.throwIfAborted();
    if (type === "config") return;
    const start = `${this.#place.prefix}${type}/`;
    let continuationToken: string | undefined;
    do {
      const page = await this.#page(start, continuationToken, signal);
      for (const { name: path, properties } of page.blobs) {
        signal.throwIfAborted();
        const name = path.slice(path.lastIndexOf("/") + 1);
        const isHere = path === `${this.#place.prefix}${handlePath({ type, name })}`;
        if (isHere && isFileName(type, name)) yield { name, size: properties.contentLength ?? 0 };
      }
      continuationToken = page.next;
    } while (continuationToken !== undefined);
  }

  async stat(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    assertHandle(handle);
    signal.throwIfAborted();
    return (await this.#properties(handle, signal))?.contentLength;
  }

  async remove(handle: Handle, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    signal.throwIfAborted();
    const file = handlePath(handle);
    try {
      await this.#connection.call({ file }, signal, async (container, _account, locks) => {
        const own = handle.type === "locks" ? locks : container;
        await own.deleteBlob(`${this.#place.prefix}${file}`, { abortSignal: signal });
      });
    } catch (error) {
      this.#refuseGone(error);
    }
  }

  /** Blocks that were never committed are no files, and Azure drops them after a week. */
  async sweep(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    return 0;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #page(
    prefix: string,
    continuationToken: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly blobs: readonly ListedBlob[]; readonly next: string | undefined }> {
    try {
      return await this.#connection.call({ file: prefix }, signal, async (container) => {
        const pages = container.listBlobsFlat({ prefix, abortSignal: signal });
        const page = await pages
          .byPage({
            maxPageSize: pageEntriesMax,
            ...(continuationToken === undefined ? {} : { continuationToken }),
          })
          .next();
        this.#wasSeen = true;
        if (page.done === true) return { blobs: [], next: undefined };
        const { segment, continuationToken: next } = page.value;
        return { blobs: segment.blobItems, next: next === "" ? undefined : next };
      });
    } catch (error) {
      this.#refuseGone(error);
      return { blobs: [], next: undefined };
    }
  }

  async #properties(
    handle: Handle,
    signal: AbortSignal,
  ): Promise<BlobGetPropertiesResponse | undefined> {
    const file = handlePath(handle);
    try {
      return await this.#connection.call({ file }, signal, async (container) => {
        const blob = container.getBlobClient(`${this.#place.prefix}${file}`);
        const properties = await blob.getProperties({ abortSignal: signal });
        this.#wasSeen = true;
        return properties;
      });
    } catch (error) {
      this.#refuseGone(error);
      return undefined;
    }
  }

  /** True if what has the name is `data`. STORE_UNAVAILABLE if nothing has it any more. */
  async #holds(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#downloads.isSame(handle, data, signal);
    } catch (error) {
      if (isBackstayError(error, "STORE_ARCHIVED")) return await this.#seems(handle, data, signal);
      if (!isBackstayError(error, "STORE_NOT_FOUND")) throw error;
      throw new BackstayError("STORE_UNAVAILABLE", {
        file: handlePath(handle),
        problem: "it was there and is gone again",
      });
    }
  }

  /** As `#holds`, for what can't be read: by its size and the checksum that Azure has made of it. */
  async #seems(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const found = await this.#properties(handle, signal);
    if (found?.contentLength !== data.length || found.contentMD5 === undefined) return false;
    return createHash("md5").update(data).digest().equals(found.contentMD5);
  }

  /** Throws an error again unless it says that the file, or a container that was never there, is not there. */
  #refuseGone(error: unknown): void {
    if (isBackstayError(error, "STORE_NOT_FOUND")) return;
    if (isBackstayError(error, "STORE_MISSING") && !this.#wasSeen) return;
    throw error;
  }
}

interface ListedBlob {
  readonly name: string;
  readonly properties: { readonly contentLength?: number };
}
