/** Locks of blobs against removal: immutability policies of their own, in containers that have version-level immutability. */
import type { BlobGetPropertiesResponse } from "@azure/storage-blob";
import { type Handle, handlePath, type RetentionLocks } from "../object-store.ts";
import type { RetentionMode } from "../retention-lock.ts";
import type { AzureConnection } from "./azure-connection.ts";
import { lockModes } from "./azure-uploads.ts";

export class AzureLocks implements RetentionLocks {
  readonly #connection: AzureConnection;
  readonly #prefix: string;
  readonly #mode: RetentionMode;

  /** `mode`: of locks on what is not locked yet. */
  constructor(connection: AzureConnection, prefix: string, mode: RetentionMode) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#mode = mode;
  }

  async lockedUntil(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    const { immutabilityPolicyExpiresOn } = await this.#properties(handle, signal);
    return immutabilityPolicyExpiresOn?.getTime();
  }

  /** A lock that is there keeps its stricter mode. */
  async extend(handle: Handle, untilMs: number, signal: AbortSignal): Promise<void> {
    const found = await this.#properties(handle, signal);
    const wanted = lockModes[this.#mode];
    const mode = found.immutabilityPolicyMode?.toLowerCase() === "locked" ? "Locked" : wanted;
    const sinceMs = found.immutabilityPolicyExpiresOn?.getTime() ?? 0;
    const isThere = found.immutabilityPolicyMode?.toLowerCase() === mode.toLowerCase();
    if (isThere && sinceMs >= untilMs) return;
    const file = handlePath(handle);
    // The header has whole seconds.
    const untilSecond = Math.ceil(Math.max(untilMs, sinceMs) / 1000) * 1000;
    await this.#connection.call({ file }, signal, async (container) => {
      const policy = { expiriesOn: new Date(untilSecond), policyMode: mode };
      const blob = container.getBlobClient(`${this.#prefix}${file}`);
      await blob.setImmutabilityPolicy(policy, { abortSignal: signal });
    });
  }

  async #properties(handle: Handle, signal: AbortSignal): Promise<BlobGetPropertiesResponse> {
    const file = handlePath(handle);
    return await this.#connection.call({ file }, signal, async (container) => {
      const blob = container.getBlobClient(`${this.#prefix}${file}`);
      return await blob.getProperties({ abortSignal: signal });
    });
  }
}
