/** A store in a bucket of an S3 server, in restic's layout below a prefix. */
import type { _Object } from "@aws-sdk/client-s3";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { AccountSource } from "../account-source.ts";
import { assertFileType, assertHandle, assertLoad, isFileName } from "../handle-name.ts";
import { readRange, readWhole } from "../http/http-body.ts";
import {
  type ByteRange,
  type FileType,
  fileTypes,
  type Handle,
  handlePath,
  type ObjectStore,
  type RetentionLocks,
  type StoreCapabilities,
  type StoredFile,
  type StreamedObjects,
} from "../object-store.ts";
import type { RequestCounts } from "../request-counts.ts";
import type { RetentionRule } from "../retention-lock.ts";
import { refuseSnow, type S3Environment, s3Place } from "./s3-address.ts";
import { makeBucket } from "./s3-bucket.ts";
import { S3Connection } from "./s3-connection.ts";
import { sweepUploads } from "./s3-leftovers.ts";
import { S3LockProof } from "./s3-lock-proof.ts";
import { factsOf, S3Objects } from "./s3-objects.ts";
import { S3RetentionLocks } from "./s3-retention-locks.ts";
import { S3StreamedObjects } from "./s3-streamed-objects.ts";
import { S3Uploads, type S3WriteRules } from "./s3-uploads.ts";
import { TakenNames } from "./taken-names.ts";

export interface S3StoreOptions {
  /** The account, the region, proxies and authorities, under restic's names. */
  readonly environment: S3Environment;
  /** In place of the environment's account. */
  readonly accounts?: AccountSource | undefined;
  readonly counts?: RequestCounts | undefined;
  readonly retention?: RetentionRule | undefined;
  /** Of packs: `STANDARD_IA`, `GLACIER_IR`, … */
  readonly storageClass?: string | undefined;
  /** So long nothing may move in a request before it is given up, ms; 2 minutes unless given. */
  readonly silenceMs?: number | undefined;
}

/** As restic. */
const connectionsLiked = 5;

/** `place` is what follows `s3:`. USAGE and STORE_UNSUPPORTED as `s3Place`. */
export function openS3Store(place: string, options: S3StoreOptions): ObjectStore {
  const { retention, storageClass } = options;
  refuseSnow(storageClass ?? "");
  const connection = new S3Connection(s3Place(place, options.environment), options);
  const learned = {
    names: new TakenNames(connection.place.vendor.refusesTaken),
    proof: new S3LockProof(connection),
  };
  return new S3Store(new S3Objects(connection, connection.place.prefix), learned, {
    retention,
    storageClass,
  });
}

/** What is found out about a bucket, wherever in it. */
interface LearnedOfBucket {
  readonly names: TakenNames;
  readonly proof: S3LockProof;
}

class S3Store implements ObjectStore {
  readonly location: string;
  readonly retentionLocks: RetentionLocks;
  readonly streamed: StreamedObjects;
  readonly #objects: S3Objects;
  readonly #uploads: S3Uploads;
  readonly #learned: LearnedOfBucket;
  readonly #rules: S3WriteRules;

  constructor(objects: S3Objects, learned: LearnedOfBucket, rules: S3WriteRules) {
    const { names, proof } = learned;
    const { origin, bucket } = objects.connection.place;
    this.location = `s3:${origin}/${bucket}/${objects.prefix}`;
    this.#objects = objects;
    this.#learned = learned;
    this.#rules = rules;
    const locks = new S3RetentionLocks(objects, rules.retention?.mode ?? "governance", proof);
    this.#uploads = new S3Uploads(objects, rules, names, locks);
    this.streamed = new S3StreamedObjects(objects, this.#uploads);
    this.retentionLocks = locks;
  }

  get capabilities(): StoreCapabilities {
    return {
      connections: connectionsLiked,
      atomicCreate: this.#learned.names.isAtomic,
      ownObjects: true,
    };
  }

  /** A place further down; its connections are this store's, so closing it does nothing. */
  below(path: string, retention = this.#rules.retention): ObjectStore {
    const { connection, prefix } = this.#objects;
    const store = new S3Store(new S3Objects(connection, `${prefix}${path}/`), this.#learned, {
      ...this.#rules,
      retention,
    });
    store.close = async () => undefined;
    return store;
  }

  async create(signal: AbortSignal): Promise<void> {
    await makeBucket(this.#objects.connection, this.#rules.retention !== undefined, signal);
  }

  async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    signal.throwIfAborted();
    if ((await this.#uploads.create(handle, data, signal)) === "created") return;
    const stored = await this.#objects.compare(handle, data, signal);
    if (stored === "same") return;
    const problem = "it was there, and is gone";
    throw stored === "other"
      ? new BackstayError("STORE_EXISTS", factsOf(handle))
      : new BackstayError("STORE_UNAVAILABLE", { ...factsOf(handle), problem });
  }

  async load(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    assertLoad(handle, range, signal);
    const data = await this.#objects.read(handle, range, signal, (content) =>
      range === undefined ? readWhole(handle, content) : readRange(handle, range, content),
    );
    if (data === undefined) throw new BackstayError("STORE_NOT_FOUND", factsOf(handle));
    return data;
  }

  async *list(type: FileType, signal: AbortSignal): AsyncIterable<StoredFile> {
    assertFileType(type);
    signal.throwIfAborted();
    if (type === "config") return;
    const { prefix } = this.#objects;
    for await (const page of this.#pages(`${prefix}${type}/`, signal))
      for (const { Key = "", Size, StorageClass } of page) {
        refuseSnow(StorageClass ?? "");
        const name = Key.slice(Key.lastIndexOf("/") + 1);
        if (!isFileName(type, name) || Key !== prefix + handlePath({ type, name })) continue;
        signal.throwIfAborted();
        if (Size !== undefined) yield { name, size: Size };
      }
  }

  async stat(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    assertHandle(handle);
    signal.throwIfAborted();
    return await this.#objects.size(handle, signal);
  }

  async remove(handle: Handle, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    signal.throwIfAborted();
    try {
      await this.#objects.connection.send(
        ({ DeleteObjectCommand }) => new DeleteObjectCommand(this.#objects.target(handle)),
        factsOf(handle),
        signal,
      );
    } catch (error) {
      if (!isBackstayError(error, "STORE_NOT_FOUND")) throw error;
    }
  }

  /** Uploads in parts that nobody has finished. */
  async sweep(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const { prefix } = this.#objects;
    const isOurs = (key: string): boolean => {
      const last = key.slice(key.lastIndexOf("/") + 1);
      return fileTypes.some((type) => {
        const name = type === "config" ? "" : last;
        return isFileName(type, name) && key === prefix + handlePath({ type, name });
      });
    };
    return await sweepUploads(this.#objects.connection, prefix, isOurs, signal);
  }

  async close(): Promise<void> {
    await this.#objects.connection.close();
  }

  /** What lies below `Prefix`, a page at a time. STORE_UNAVAILABLE if an answer is no list, or does not go on to an end. */
  async *#pages(Prefix: string, signal: AbortSignal): AsyncGenerator<readonly _Object[]> {
    const { connection } = this.#objects;
    const facts = { file: Prefix };
    const broken = (problem: string): BackstayError =>
      new BackstayError("STORE_UNAVAILABLE", { ...facts, problem });
    let token: string | undefined;
    do {
      const page = await connection.send(
        ({ ListObjectsV2Command }) =>
          new ListObjectsV2Command({
            Bucket: connection.place.bucket,
            Prefix,
            ContinuationToken: token,
          }),
        facts,
        signal,
      );
      if (page.IsTruncated === undefined) throw broken("its answer is no list");
      yield page.Contents ?? [];
      const next = page.IsTruncated ? page.NextContinuationToken : undefined;
      // An end that is none would be taken for a shorter list, and the same page again never ends.
      if (page.IsTruncated && (next === undefined || next === token))
        throw broken("its list does not go on");
      token = next;
    } while (token !== undefined);
  }
}
