/** Writing blobs: in one request or in blocks, only where nothing has the name, with checksums, locks and tiers. */
import { createHash, randomBytes } from "node:crypto";
import type { BlobImmutabilityPolicy, BlockBlobClient } from "@azure/storage-blob";
import { BackstayError, type ErrorContext } from "../../protocol/backstay-error.ts";
import { type Handle, handlePath } from "../object-store.ts";
import type { RetentionRule } from "../retention-lock.ts";
import type { AzureConnection } from "./azure-connection.ts";
import { azureWord } from "./azure-errors.ts";

export interface AzureWriteRules {
  readonly retention?: RetentionRule | undefined;
  /** Access tier of new packs; everything else gets the account's own. */
  readonly packTier?: string | undefined;
}

/** What Azure calls `governance` and `compliance`. */
export const lockModes = { governance: "Unlocked", compliance: "Locked" } as const;

/** So much of a pack goes in one request: all that we write. */
const wholeBytesMax = 64 * 1024 * 1024;
/** Held for each object that passes through. */
const blockBytesUsual = 8 * 1024 * 1024;
const blocksMax = 50_000;
const dayMs = 24 * 60 * 60_000;

/** The ways in which Azure says that the name is taken; the last for an account that may only create. */
const takenWords = new Set([
  "BlobAlreadyExists",
  "BlobArchived",
  "BlobImmutableDueToPolicy",
  "ConditionNotMet",
  "UnauthorizedBlobOverwrite",
]);
/**
 * Said if the name is taken, but of other things too: the blocks that were to be committed are gone, because somebody has
 * written the name meanwhile; the account may create, but not replace.
 */
const doubtfulWords = new Set([
  "AuthorizationPermissionMismatch",
  "InvalidBlobOrBlock",
  "InvalidBlockList",
]);

export type WriteOutcome = "created" | "exists";

export class AzureUploads {
  readonly #connection: AzureConnection;
  readonly #prefix: string;
  readonly #rules: AzureWriteRules;

  constructor(connection: AzureConnection, prefix: string, rules: AzureWriteRules) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#rules = rules;
  }

  /** Stores `data`, whole or not at all. */
  async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<WriteOutcome> {
    if (data.length <= wholeBytesMax) return await this.#put(handle, data, signal);
    return await this.#inBlocks(handle, cut(data, blockBytesUsual), signal);
  }

  /** Stores what `source` gives; as the contract's `receive`. */
  async receive(
    handle: Handle,
    sizeBytes: number,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    const blockBytes = Math.max(blockBytesUsual, Math.ceil(sizeBytes / blocksMax));
    const blocks = gather(source, sizeBytes, Math.min(sizeBytes, blockBytes));
    if (sizeBytes > blockBytes) return await this.#inBlocks(handle, blocks, signal);
    let whole: Uint8Array = new Uint8Array(0);
    for await (const block of blocks) whole = block;
    return await this.#put(handle, whole, signal);
  }

  async #put(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<WriteOutcome> {
    const file = handlePath(handle);
    const checked = { transactionalContentMD5: md5(data) };
    return await this.#connection.call({ file }, signal, async (container) => {
      const blob = container.getBlockBlobClient(`${this.#prefix}${file}`);
      const body = Buffer.from(data.buffer, data.byteOffset, data.length);
      const options = { ...this.#options(handle), ...checked, abortSignal: signal };
      return await unlessTaken(blob, signal, () => blob.upload(body, body.length, options));
    });
  }

  /** Blocks that are not committed are seen by nobody, and dropped with the next commit, or after a week. */
  async #inBlocks(
    handle: Handle,
    blocks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    const file = handlePath(handle);
    const name = `${this.#prefix}${file}`;
    const context: ErrorContext = { file };
    // Another writer of the same name may be sending blocks too: its are never taken for ours.
    const attempt = randomBytes(12).toString("hex");
    const ids: string[] = [];
    const whole = createHash("md5");
    for await (const block of blocks) {
      signal.throwIfAborted();
      const id = Buffer.from(`${attempt}-${String(ids.length).padStart(5, "0")}`).toString(
        "base64",
      );
      const options = { transactionalContentMD5: md5(block), abortSignal: signal };
      await this.#connection.call(context, signal, async (container) => {
        const body = Buffer.from(block.buffer, block.byteOffset, block.length);
        await container.getBlockBlobClient(name).stageBlock(id, body, body.length, options);
      });
      whole.update(block);
      ids.push(id);
    }
    signal.throwIfAborted();
    const options = {
      ...this.#options(handle),
      blobHTTPHeaders: { blobContentMD5: whole.digest() },
      abortSignal: signal,
    };
    return await this.#connection.call(context, signal, async (container) => {
      const blob = container.getBlockBlobClient(name);
      return await unlessTaken(blob, signal, () => blob.commitBlockList(ids, options));
    });
  }

  #options({ type }: Handle): {
    readonly conditions: { readonly ifNoneMatch: string };
    readonly tier?: string;
    readonly immutabilityPolicy?: BlobImmutabilityPolicy;
  } {
    const { packTier, retention } = this.#rules;
    const isLocked = retention !== undefined && type !== "locks";
    return {
      conditions: { ifNoneMatch: "*" },
      ...(type === "data" && packTier !== undefined ? { tier: packTier } : {}),
      ...(isLocked ? { immutabilityPolicy: policyOf(retention) } : {}),
    };
  }
}

function policyOf({ mode, days }: RetentionRule): BlobImmutabilityPolicy {
  return { expiriesOn: new Date(Date.now() + days * dayMs), policyMode: lockModes[mode] };
}

async function unlessTaken(
  blob: BlockBlobClient,
  signal: AbortSignal,
  write: () => Promise<unknown>,
): Promise<WriteOutcome> {
  try {
    await write();
    return "created";
  } catch (error) {
    const word = azureWord(error) ?? "";
    if (takenWords.has(word)) return "exists";
    if (doubtfulWords.has(word) && (await blob.exists({ abortSignal: signal }))) return "exists";
    throw error;
  }
}

function md5(data: Uint8Array): Uint8Array {
  return createHash("md5").update(data).digest();
}

function* cut(data: Uint8Array, blockBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < data.length; at += blockBytes) yield data.subarray(at, at + blockBytes);
}

/** What `source` gives in blocks of `blockBytes`, each in the same memory. INTERNAL if it does not give `sizeBytes` in all. */
async function* gather(
  source: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  blockBytes: number,
): AsyncGenerator<Uint8Array> {
  const block = new Uint8Array(blockBytes);
  let filled = 0;
  let total = 0;
  for await (const part of source) {
    total += part.length;
    if (total > sizeBytes) break;
    for (let at = 0; at < part.length; ) {
      const piece = part.subarray(at, at + blockBytes - filled);
      block.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < blockBytes) continue;
      yield block;
      filled = 0;
    }
  }
  if (total !== sizeBytes)
    throw new BackstayError("INTERNAL", { problem: "the source is not as long as it should be" });
  if (filled > 0) yield block.subarray(0, filled);
}
