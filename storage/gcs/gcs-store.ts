/**
 * A store in a bucket of Google Cloud Storage, by its JSON API. Objects are made only where nothing has the name
 * (`ifGenerationMatch=0`), and Google compares the checksum of everything before it stores.
 */
import { createHash } from "node:crypto";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { assertFileType, assertHandle, assertLoad, isFileName } from "../handle-name.ts";
import { rangeHeader, readRange, readWhole } from "../http/http-body.ts";
import type { HttpAnswer } from "../http/http-transport.ts";
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
import { crc32c } from "./crc32c.ts";
import { type GcsPlace, gcsPlace } from "./gcs-address.ts";
import { gcsObject } from "./gcs-object.ts";
import { GcsObjects, type NewGcsObjects } from "./gcs-objects.ts";
import { type GcsRequest, GcsRequests, type GcsRequestsOptions } from "./gcs-requests.ts";
import { GcsRetention } from "./gcs-retention.ts";
import { assertChecksum, GcsStreams } from "./gcs-streams.ts";
import { simpleBytesMax, uploadInParts, uploadWhole } from "./gcs-upload.ts";

/** As restic. */
const connectionsLiked = 5;
/** Of one page; Google gives no more. */
const pageObjects = 1000;

export interface GcsStoreOptions extends Omit<GcsRequestsOptions, "location">, NewGcsObjects {}

export class GcsStore implements ObjectStore {
  readonly location: string;
  readonly capabilities: StoreCapabilities = {
    connections: connectionsLiked,
    atomicCreate: true,
    ownObjects: true,
  };
  readonly retentionLocks: RetentionLocks;
  readonly streamed: StreamedObjects;
  readonly #place: GcsPlace;
  readonly #options: GcsStoreOptions;
  readonly #requests: GcsRequests;
  readonly #objects: GcsObjects;
  readonly #isLent: boolean;

  /** `lent`: requests of another store, which closes them. */
  private constructor(place: GcsPlace, options: GcsStoreOptions, lent: GcsRequests | undefined) {
    this.location = place.location;
    this.#place = place;
    this.#options = options;
    this.#isLent = lent !== undefined;
    this.#requests = lent ?? new GcsRequests({ ...options, location: place.location });
    this.#objects = new GcsObjects(place, this.#requests, options);
    this.retentionLocks = new GcsRetention(this.#objects, options.retention);
    this.streamed = new GcsStreams(this.#objects);
  }

  /** `place` is what follows `gs:`. USAGE if it, or a setting of the environment, can't be used. */
  static open(place: string, options: GcsStoreOptions): GcsStore {
    return new GcsStore(gcsPlace(place), options, undefined);
  }

  readonly below = (path: string, retention = this.#options.retention): ObjectStore => {
    const { bucket, prefix } = this.#place;
    const place = gcsPlace(`${bucket}:/${prefix}${path}`);
    return new GcsStore(place, { ...this.#options, retention }, this.#requests);
  };

  /** Makes the bucket if there is none and `GOOGLE_PROJECT_ID` says in which project. An account that may not look is believed. */
  async create(signal: AbortSignal): Promise<void> {
    const { bucket } = this.#place;
    const path = `/storage/v1/b/${bucket}?fields=name`;
    const look = this.#request({ kind: "other", method: "GET", path });
    const status = await this.#requests.exchange(look, signal, async (answer) => {
      if (answer.status === 200 || answer.status === 403 || answer.status === 404)
        return answer.status;
      throw await answer.refusal();
    });
    if (status === 404) await this.#createBucket(signal);
  }

  async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    signal.throwIfAborted();
    const target = this.#objects.targetOf(handle);
    const outcome =
      data.length <= simpleBytesMax
        ? await uploadWhole(target, data, signal)
        : await uploadInParts(target, data, signal);
    if (outcome === "exists") await this.#assertHolds(handle, data, signal);
  }

  async load(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    assertLoad(handle, range, signal);
    const headers = range === undefined ? {} : { range: rangeHeader(range) };
    const path = `${this.#objects.pathOf(handle)}?alt=media`;
    const request = this.#request({ kind: "get", method: "GET", path, headers }, handle);
    return await this.#requests.exchange(request, signal, async (answer) => {
      const { status } = answer;
      if (status === 200 && range === undefined) return await readVerified(handle, answer);
      if (range !== undefined && (status === 200 || status === 206))
        return await readRange(handle, range, answer);
      throw await this.#objects.refusal(handle, answer, signal);
    });
  }

  async *list(type: FileType, signal: AbortSignal): AsyncIterable<StoredFile> {
    assertFileType(type);
    signal.throwIfAborted();
    if (type === "config") return;
    const { bucket, prefix } = this.#place;
    const query = new URLSearchParams({
      prefix: `${prefix}${type}/`,
      maxResults: String(pageObjects),
      fields: "nextPageToken,items(name,size)",
    });
    for (;;) {
      const path = `/storage/v1/b/${bucket}/o?${query.toString()}`;
      const request = this.#request({ kind: "list", method: "GET", path });
      const page = await this.#requests.exchange(request, signal, async (answer) => {
        if (answer.status === 404) throw missing(this.location);
        if (answer.status !== 200) throw await answer.refusal();
        return await this.#requests.document(answer);
      });
      for (const stored of this.#filesOf(type, page)) {
        signal.throwIfAborted();
        yield stored;
      }
      const { nextPageToken: next } = page;
      if (next === undefined) return;
      if (typeof next !== "string" || next === query.get("pageToken"))
        throw new BackstayError("STORE_UNAVAILABLE", { problem: "its list does not go on" });
      query.set("pageToken", next);
      signal.throwIfAborted();
    }
  }

  async stat(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    assertHandle(handle);
    signal.throwIfAborted();
    try {
      return (await this.#objects.look(handle, signal))?.size;
    } catch (error) {
      // Where `create` would make the bucket, its absence is that of a repository.
      const isMadeLater = handle.type === "config" && this.#project !== "";
      if (isMadeLater && isBackstayError(error, "STORE_MISSING")) return undefined;
      throw error;
    }
  }

  async remove(handle: Handle, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    signal.throwIfAborted();
    const path = this.#objects.pathOf(handle);
    const request = this.#request({ kind: "delete", method: "DELETE", path }, handle);
    await this.#requests.exchange(request, signal, async (answer) => {
      if (answer.status === 204 || answer.status === 200) return;
      const refusal = await this.#objects.refusal(handle, answer, signal);
      if (refusal.code !== "STORE_NOT_FOUND") throw refusal;
    });
  }

  /** Uploads that were cut can't be listed; Google forgets them after a week, and charges nothing for them. */
  async sweep(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    return 0;
  }

  async close(): Promise<void> {
    if (!this.#isLent) await this.#requests.close();
  }

  /** Resolves if the object has this content; STORE_EXISTS if it has another. */
  async #assertHolds(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    const file = handlePath(handle);
    const found = await this.#objects.look(handle, signal);
    if (found === undefined)
      throw new BackstayError("STORE_UNAVAILABLE", { file, problem: "it was removed meanwhile" });
    const isSame =
      found.size === data.length &&
      (found.md5 === undefined
        ? Buffer.compare(await this.load(handle, undefined, signal), data) === 0
        : found.md5 === createHash("md5").update(data).digest("base64"));
    if (!isSame) throw new BackstayError("STORE_EXISTS", { file, sizeBytes: found.size });
  }

  async #createBucket(signal: AbortSignal): Promise<void> {
    if (this.#project === "") throw missing(this.location);
    const document = {
      name: this.#place.bucket,
      iamConfiguration: {
        uniformBucketLevelAccess: { enabled: true },
        publicAccessPrevention: "enforced",
      },
    };
    // Only a bucket that was made for it can lock objects.
    const locks = this.#options.retention === undefined ? "" : "&enableObjectRetention=true";
    const request = this.#request({
      kind: "other",
      method: "POST",
      path: `/storage/v1/b?project=${encodeURIComponent(this.#project)}${locks}`,
      headers: { "content-type": "application/json; charset=UTF-8" },
      body: [Buffer.from(JSON.stringify(document))],
    });
    await this.#requests.exchange(request, signal, async (answer) => {
      // 409: somebody was faster. Whether it may be used shows when it is.
      if (answer.status !== 200 && answer.status !== 409) throw await answer.refusal();
    });
  }

  get #project(): string {
    return this.#options.environment["GOOGLE_PROJECT_ID"] ?? "";
  }

  #request(request: Omit<GcsRequest, "context">, handle?: Handle): GcsRequest {
    return { ...request, context: handle === undefined ? {} : { file: handlePath(handle) } };
  }

  /** The files of one page of a list. */
  *#filesOf(type: FileType, page: Readonly<Record<string, unknown>>): Generator<StoredFile> {
    const items: unknown = page["items"] ?? [];
    if (!Array.isArray(items))
      throw new BackstayError("STORE_UNAVAILABLE", { problem: "its list is none" });
    for (const item of items) {
      const { name: path, size } = gcsObject(item as Record<string, unknown>);
      const name = path.slice(path.lastIndexOf("/") + 1);
      if (isFileName(type, name) && path === this.#objects.nameOf({ type, name }))
        yield { name, size };
    }
  }
}

/** The whole object of a 200, compared with the checksum that the storage sends with it. */
async function readVerified(handle: Handle, answer: HttpAnswer): Promise<Uint8Array> {
  const data = await readWhole(handle, answer);
  assertChecksum(handle, answer, crc32c(data));
  return data;
}

function missing(place: string): BackstayError {
  return new BackstayError("STORE_MISSING", { place });
}
