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
import { factsOf, type S3Objects } from "./s3-objects.ts";
import { partBytesFor, uploadInParts } from "./s3-parts.ts";
import { gathered, heldBack, pieces } from "./source-pieces.ts";
import type { TakenNames } from "./taken-names.ts";

/** What new objects are. */
export interface S3WriteRules {
  readonly retention: RetentionRule | undefined;
  /** Of packs. */
  readonly storageClass: string | undefined;
}

export type CreateOutcome = "created" | "exists";

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

  constructor(objects: S3Objects, rules: S3WriteRules, names: TakenNames) {
    this.#objects = objects;
    this.#rules = rules;
    this.#names = names;
  }

  /** Stores `data`, if nothing has the name. STORE_DENIED if the name is the hash of something else. */
  async create(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<CreateOutcome> {
    const sizeBytes = data.length;
    const mustLook = this.#names.mustLook || sizeBytes > wholeBytesMax;
    if (mustLook && (await this.#isTaken(handle, signal))) return "exists";
    if (sizeBytes > wholeBytesMax)
      return await this.#inParts(handle, pieces(data, partBytesFor(sizeBytes)), signal);
    const isTrial = this.#names.isUntried && sizeBytes <= trialBytesMax;
    const outcome = await this.#put(handle, data, signal);
    // Only an object that is there by now can be refused.
    if (isTrial && outcome === "created" && this.#names.isUntried)
      this.#names.tried(await this.#put(handle, data, signal));
    return outcome;
  }

  /** As `StreamedObjects.receive`. */
  async createFrom(
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
    for await (const data of parts) return await this.#put(handle, data, signal);
    return await this.#put(handle, new Uint8Array(0), signal);
  }

  /** True if the hash need not be taken first: it is in the name, and no other one is asked for. */
  #canPass(handle: Handle, sizeBytes: number): boolean {
    const { keepsHashes } = this.#objects.connection.place.vendor;
    const needsHash = !keepsHashes && this.#isLocked(handle);
    return hashOfName(handle) !== undefined && !needsHash && sizeBytes <= wholeBytesMax;
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
        await this.#objects.connection.sendOnce(
          (library) =>
            this.#putCommand(library, handle, {
              ...condition,
              Body: body,
              ContentLength: sizeBytes,
            }),
          factsOf(handle),
          signal,
        );
      });
    } catch (error) {
      signal.throwIfAborted();
      throw failures.length > 0 ? failures[0] : error;
    } finally {
      body.on("error", () => undefined).destroy();
    }
  }

  async #put(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<CreateOutcome> {
    const put = async (condition: { IfNoneMatch?: string }): Promise<void> => {
      await this.#objects.connection.send(
        (library) =>
          this.#putCommand(library, handle, {
            ...condition,
            Body: data,
            ...(this.#needsMd5(handle) && { ContentMD5: md5Of(data) }),
          }),
        factsOf(handle),
        signal,
      );
    };
    try {
      return await this.#orExists(handle, signal, async (condition) => {
        try {
          await put(condition);
        } catch (error) {
          if (!("IfNoneMatch" in condition) || !isUnknownToServer(error)) throw error;
          await put({});
          this.#names.unsupported();
        }
      });
    } catch (error) {
      if (!isHashRefusal(error) || hashOfName(handle) === sha256Of(data)) throw error;
      if (await this.#isTaken(handle, signal)) return "exists";
      const problem = "its content is not the one that its name says";
      throw new BackstayError("STORE_DENIED", { ...factsOf(handle), problem });
    }
  }

  /** `exists` if the write was refused for a name that is taken. */
  async #orExists(
    handle: Handle,
    signal: AbortSignal,
    write: (condition: { IfNoneMatch?: string }) => Promise<void>,
  ): Promise<CreateOutcome> {
    try {
      await write(this.#names.condition);
      return "created";
    } catch (error) {
      if (isBackstayError(error, "STORE_EXISTS")) return "exists";
      const isConflict = said(error) === "ConditionalRequestConflict";
      if (isConflict && (await this.#isTaken(handle, signal))) return "exists";
      throw error;
    }
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
