/** Object Lock: until when objects can't be removed. */
import { createHash } from "node:crypto";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { Handle, RetentionLocks } from "../object-store.ts";
import type { RetentionMode } from "../retention-lock.ts";
import type { S3LockProof } from "./s3-lock-proof.ts";
import { factsOf, type S3Objects } from "./s3-objects.ts";

export class S3RetentionLocks implements RetentionLocks {
  readonly #objects: S3Objects;
  readonly #mode: RetentionMode;
  readonly #proof: S3LockProof;

  constructor(objects: S3Objects, mode: RetentionMode, proof: S3LockProof) {
    this.#objects = objects;
    this.#mode = mode;
    this.#proof = proof;
  }

  async lockedUntil(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    const found = await this.#objects.head(handle, signal, (said) => ({
      untilMs: said.ObjectLockRetainUntilDate?.getTime(),
    }));
    if (found === undefined) throw new BackstayError("STORE_NOT_FOUND", factsOf(handle));
    if (found.untilMs !== undefined) this.#proof.seen();
    return found.untilMs;
  }

  /** The server refuses to shorten a lock, so it is asked at once. */
  async extend(handle: Handle, untilMs: number, signal: AbortSignal): Promise<void> {
    await this.prove(handle, signal);
    try {
      await this.#set(handle, untilMs, signal);
    } catch (error) {
      if (!isBackstayError(error, "STORE_DENIED")) throw error;
      const presentMs = await this.lockedUntil(handle, signal);
      if (presentMs === undefined || presentMs < untilMs) throw error;
    }
  }

  /** STORE_LACKS unless locks are kept here; `handle` is an object that should have one. Asks once. */
  async prove(handle: Handle, signal: AbortSignal): Promise<void> {
    if (this.#proof.isThere || (await this.lockedUntil(handle, signal)) !== undefined) return;
    if (await this.#proof.ask(signal)) return;
    const problem = "objects are not locked in this bucket: it needs Object Lock from its making";
    throw new BackstayError("STORE_LACKS", { ...factsOf(handle), problem });
  }

  async #set(handle: Handle, untilMs: number, signal: AbortSignal): Promise<void> {
    await this.#objects.connection.send(
      ({ PutObjectRetentionCommand }) => {
        const command = new PutObjectRetentionCommand({
          ...this.#objects.target(handle),
          Retention: {
            Mode: this.#mode === "compliance" ? "COMPLIANCE" : "GOVERNANCE",
            RetainUntilDate: new Date(untilMs),
          },
        });
        // Some servers want this hash; it is always right.
        command.middlewareStack.add(
          (next) => async (args) => {
            const { headers, body } = args.request as {
              headers: Record<string, string>;
              body: string | Uint8Array;
            };
            headers["content-md5"] = createHash("md5").update(body).digest("base64");
            return await next(args);
          },
          { step: "build", name: "contentMd5" },
        );
        return command;
      },
      factsOf(handle),
      signal,
    );
  }
}
