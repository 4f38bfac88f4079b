/**
 * New objects: create-only, with the hash of the content in the signature so that the server checks what arrives, locked
 * and in the storage class that the rules say; large ones in parts.
 */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { Handle } from "../object-store.ts";
import type { RetentionRule } from "../retention-lock.ts";
import type { S3Library } from "./s3-connection.ts";
import { factsOf, noAnswer, type S3Objects } from "./s3-objects.ts";
import { partBytesFor, uploadInParts } from "./s3-parts.ts";
import type { S3RetentionLocks } from "./s3-retention-locks.ts";
import { gathered, heldBack, pieces } from "./source-pieces.ts";
import type { CreateOutcome, TakenNames } from "./taken-names.ts";

/** What new objects are. */
export interface S3WriteRules {
  readonly retention: RetentionRule | undefined;
  /** Of packs. */
  readonly storageClass: string | undefined;
}

type PutInput = ConstructorParameters<S3Library["PutObjectCommand"]>[0];

/** Larger ones go in parts. */
const wholeBytesMax = 64 * 1024 * 1024;
/** What is tried out is tried with a small object. */
const trialBytesMax = 64 * 1024;
const dayMs = 24 * 60 * 60 * 1000;

export class S3Uploads {
  readonly #objects: S3Objects;
  readonly #rules: S3WriteRules;
  readonly #names: TakenNames;
  readonly #locks: S3RetentionLocks;

  constructor(objects: S3Objects, rules: S3WriteRules, names: TakenNames, locks: S3RetentionLocks) {
    this.#objects = objects;
    this.#rules = rules;
    this.#names = names;
    this.#locks = locks;
  }

  /**
   * Stores `data`, if nothing has the name. STORE_DENIED if the name is the hash of something else, STORE_LACKS if it should
   * be locked and is not.
   */
  async create(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<CreateOutcome> {
    const outcome = await this.#create(handle, data, signal);
    if (this.#isLocked(handle)) await this.#locks.prove(handle, signal);
    return outcome;
  }

  async #create(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<CreateOutcome> {
    const sizeBytes = data.length;
    const mustLook = this.#names.mustLook || sizeBytes > wholeBytesMax;
    if (mustLook && (await this.#isTaken(handle, signal))) return "exists";
    if (sizeBytes > wholeBytesMax)
      return await this.#inParts(handle, pieces(data, partBytesFor(sizeBytes)), signal);
    return await this.#putAndTry(handle, data, signal);
  }

  /** As `StreamedObjects.receive`. */
  async createFrom(
    handle: Handle,
    sizeBytes: number,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<CreateOutcome> {
    const outcome = await this.#createFrom(handle, sizeBytes, source, signal).catch((error) => {
      // A source that was told to stop may end early.
      signal.throwIfAborted();
      throw error;
    });
    if (this.#isLocked(handle)) await this.#locks.prove(handle, signal);
    return outcome;
  }

  async #createFrom(
    handle: Handle,
    sizeBytes: number,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<CreateOutcome> {
    if (await this.#isTaken(handle, signal)) return "exists";
    if (this.#canPass(handle, sizeBytes))
      return await this.#pass(handle, sizeBytes, source, signal);
    const partBytes = partBytesFor(sizeBytes);
    const parts = gathered(source, sizeBytes, partBytes);
    if (sizeBytes > partBytes) return await this.#inParts(handle, parts, signal);
    for await (const data of parts) return await this.#putAndTry(handle, data, signal);
    return await this.#putAndTry(handle, new Uint8Array(0), signal);
  }

  /**
   * True if an object need not be held: its hash is in the name, no other one is asked for, and the server is known not to
   * refuse the precondition, after which the source could not be read again.
   */
  #canPass(handle: Handle, sizeBytes: number): boolean {
    const isHashKnown = hashOfName(handle) !== undefined && !this.#needsMd5(handle);
    return isHashKnown && !this.#names.isUntried && sizeBytes <= wholeBytesMax;
  }

  /** Tries at the same time what the server does with names that are taken, if that is not known. */
  async #putAndTry(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<CreateOutcome> {
    const isTrial = this.#names.isUntried && data.length <= trialBytesMax;
    const outcome = await this.#put(handle, data, signal);
    // Only an object that is there by now can be refused.
    if (isTrial && outcome === "created" && this.#names.isUntried)
      this.#names.tried(await this.#put(handle, data, signal));
    return outcome;
  }

  async #pass(
    handle: Handle,
    sizeBytes: number,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<CreateOutcome> {
    const failures: unknown[] = [];
    const held = heldBack(source, sizeBytes, (error) => failures.push(error));
    const body = Readable.from(held, { objectMode: false });
    try {
      return await this.#orExists(handle, signal, async (condition) => {
        const answer = await this.#objects.connection.sendOnce(
          (library) =>
            this.#putCommand(library, handle, {
              ...condition,
              Body: body,
              ContentLength: sizeBytes,
            }),
          factsOf(handle),
          signal,
        );
        return answer.ETag;
      });
    } catch (error) {
      signal.throwIfAborted();
      throw failures.length > 0 ? failures[0] : error;
    } finally {
      body.on("error", () => undefined).destroy();
    }
  }

  async #put(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<CreateOutcome> {
    const put = async (condition: { IfNoneMatch?: string }): Promise<string | undefined> => {
      const answer = await this.#objects.connection.send(
        (library) =>
          this.#putCommand(library, handle, {
            ...condition,
            Body: data,
            ...(this.#needsMd5(handle) && { ContentMD5: md5Of(data) }),
          }),
        factsOf(handle),
        signal,
      );
      return answer.ETag;
    };
    try {
      return await this.#orExists(handle, signal, async (condition) => {
        try {
          return await put(condition);
        } catch (error) {
          if (!("IfNoneMatch" in condition) || !isUnknownToServer(error)) throw error;
          const tag = await put({});
          this.#names.unsupported();
          return tag;
        }
      });
    } catch (error) {
      if (!isHashRefusal(error) || hashOfName(handle) === sha256Of(data)) throw error;
      if (await this.#isTaken(handle, signal)) return "exists";
      const problem = "its content is not the one that its name says";
      throw new BackstayError("STORE_DENIED", { ...factsOf(handle), problem });
    }
  }

  /** `exists` if the write was refused for a name that is taken. `write` gives the tag that the server gave the object. */
  async #orExists(
    handle: Handle,
    signal: AbortSignal,
    write: (condition: { IfNoneMatch?: string }) => Promise<string | undefined>,
  ): Promise<CreateOutcome> {
    try {
      if ((await write(this.#names.condition)) !== undefined) return "created";
    } catch (error) {
      if (isBackstayError(error, "STORE_EXISTS")) return "exists";
      // Another one was writing it, and may have won.
      const isConflict = isBackstayError(error) && error.context["status"] === 409;
      if (!isConflict) throw error;
      if (await this.#isTaken(handle, signal)) return "exists";
      throw error;
    }
    // Swift says nothing of an object that a later write has replaced already.
    if (await this.#isTaken(handle, signal)) return "exists";
    throw noAnswer(handle);
  }

  async #inParts(
    handle: Handle,
    parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<CreateOutcome> {
    const target = { objects: this.#objects, handle, begin: this.#beginning(handle) };
    return await uploadInParts(target, parts, this.#needsMd5(handle) ? md5Of : undefined, signal);
  }

  async #isTaken(handle: Handle, signal: AbortSignal): Promise<boolean> {
    return (await this.#objects.size(handle, signal)) !== undefined;
  }

  /** What an object is from its beginning. */
  #beginning({
    type,
  }: Handle): Pick<PutInput, "ObjectLockMode" | "ObjectLockRetainUntilDate" | "StorageClass"> {
    const { retention, storageClass } = this.#rules;
    const isLocked = retention !== undefined && type !== "locks";
    return {
      ...(isLocked && {
        ObjectLockMode: retention.mode === "compliance" ? "COMPLIANCE" : "GOVERNANCE",
        ObjectLockRetainUntilDate: new Date(Date.now() + retention.days * dayMs),
      }),
      ...(type === "data" &&
        storageClass !== undefined && {
          StorageClass: storageClass as NonNullable<PutInput["StorageClass"]>,
        }),
    };
  }

  #isLocked({ type }: Handle): boolean {
    return this.#rules.retention !== undefined && type !== "locks";
  }

  /** Locked objects are taken with a hash of their own only. */
  #needsMd5(handle: Handle): boolean {
    return this.#isLocked(handle) && !this.#objects.connection.place.vendor.keepsHashes;
  }

  #putCommand(
    library: S3Library,
    handle: Handle,
    content: Omit<PutInput, "Bucket" | "Key">,
  ): InstanceType<S3Library["PutObjectCommand"]> {
    const hash = hashOfName(handle);
    const { keepsHashes } = this.#objects.connection.place.vendor;
    const command = new library.PutObjectCommand({
      ...this.#objects.target(handle),
      ...this.#beginning(handle),
      ...(hash !== undefined &&
        keepsHashes && { ChecksumSHA256: Buffer.from(hash, "hex").toString("base64") }),
      ...content,
    });
    if (hash === undefined) return command;
    // The signature's hash is known from the name: nothing is hashed again, and the server checks it.
    command.middlewareStack.add(
      (next) => async (args) => {
        const { headers } = args.request as { headers: Record<string, string> };
        headers["x-amz-content-sha256"] = hash;
        return await next(args);
      },
      { step: "build", name: "knownHash" },
    );
    return command;
  }
}

/** The SHA-256 of the content, where names are such. */
function hashOfName({ type, name }: Handle): string | undefined {
  return type === "config" || type === "backstay" ? undefined : name;
}

function sha256Of(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function md5Of(data: Uint8Array): string {
  return createHash("md5").update(data).digest("base64");
}

function said(error: unknown): unknown {
  return isBackstayError(error) ? error.context["said"] : undefined;
}

function isHashRefusal(error: unknown): boolean {
  return said(error) === "XAmzContentSHA256Mismatch" || said(error) === "BadDigest";
}

function isUnknownToServer(error: unknown): boolean {
  return isBackstayError(error) && error.context["status"] === 501;
}
