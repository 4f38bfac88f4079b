/** Object Lock: until when objects can't be removed. */
import { createHash } from "node:crypto";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { Handle, RetentionLocks } from "../object-store.ts";
import type { RetentionMode } from "../retention-lock.ts";
import { factsOf, type S3Objects } from "./s3-objects.ts";

export class S3RetentionLocks implements RetentionLocks {
  readonly #objects: S3Objects;
  readonly #mode: RetentionMode;

  constructor(objects: S3Objects, mode: RetentionMode) {
    this.#objects = objects;
    this.#mode = mode;
  }

  async lockedUntil(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    const found = await this.#objects.head(handle, signal, (said) => ({
      untilMs: said.ObjectLockRetainUntilDate?.getTime(),
    }));
    if (found === undefined) throw new BackstayError("STORE_NOT_FOUND", factsOf(handle));
    return found.untilMs;
  }

  /** The server refuses to shorten a lock, so it is asked at once. */
  async extend(handle: Handle, untilMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#set(handle, untilMs, signal);
    } catch (error) {
      if (!isBackstayError(error, "STORE_DENIED")) throw error;
      const presentMs = await this.lockedUntil(handle, signal);
      if (presentMs === undefined || presentMs < untilMs) throw error;
    }
  }

  async #set(handle: Handle, untilMs: number, signal: AbortSignal): Promise<void> {
    const { connection } = this.#objects;
    const { keepsHashes } = connection.place.vendor;
    await connection.send(
      ({ PutObjectRetentionCommand }) => {
        const command = new PutObjectRetentionCommand({
          ...this.#objects.target(handle),
          Retention: {
            Mode: this.#mode === "compliance" ? "COMPLIANCE" : "GOVERNANCE",
            RetainUntilDate: new Date(untilMs),
          },
        });
        if (!keepsHashes)
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
