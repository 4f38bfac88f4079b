/**
 * Whether a bucket keeps locks. A server that has never heard of Object Lock takes the rule of a new object for nothing, and
 * a lock that is set later for the object's new content. So nothing is believed, and nothing set, before it has been seen
 * that locks are kept.
 */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { S3Connection } from "./s3-connection.ts";

export class S3LockProof {
  readonly #connection: S3Connection;
  #isThere = false;

  constructor(connection: S3Connection) {
    this.#connection = connection;
  }

  get isThere(): boolean {
    return this.#isThere;
  }

  /** A lock was found on an object. */
  seen(): void {
    this.#isThere = true;
  }

  /** What the bucket says. Amazon's refuses objects with a lock if it keeps none, so there an account need not ask. */
  async ask(signal: AbortSignal): Promise<boolean> {
    this.#isThere ||= await this.#isEnabled(signal);
    return this.#isThere;
  }

  async #isEnabled(signal: AbortSignal): Promise<boolean> {
    const { bucket: Bucket, vendor } = this.#connection.place;
    try {
      const { ObjectLockConfiguration: found } = await this.#connection.send(
        ({ GetObjectLockConfigurationCommand }) =>
          new GetObjectLockConfigurationCommand({ Bucket }),
        {},
        signal,
      );
      return found?.ObjectLockEnabled === "Enabled";
    } catch (error) {
      if (!isBackstayError(error) || error.kind === "temporary") throw error;
      return vendor.keepsHashes && error.context["status"] === 403;
    }
  }
}
