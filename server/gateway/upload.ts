/** Takes one file in while it arrives: never a whole one in memory, never half of one in sight. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { FileType, Handle } from "../../storage/object-store.ts";
import type { RetentionRule } from "../../storage/retention-lock.ts";
import { Problem } from "../http/problem.ts";
import type { GatewayAccount } from "./gateway-accounts.ts";
import type { GatewayObjects } from "./gateway-objects.ts";
import { refusal } from "./gateway-problems.ts";
import type { UsageBook } from "./usage-book.ts";

export interface Upload {
  readonly account: GatewayAccount;
  readonly objects: GatewayObjects;
  readonly handle: Handle;
  readonly request: IncomingMessage;
  /** How it is locked; only where `objects` have locks. */
  readonly retention?: RetentionRule | undefined;
  /** Told of each part. */
  readonly arrived: (bytes: number) => void;
}

/** The least that must arrive of an upload: slower ones hold a place that others wait for. */
export interface UploadPace {
  readonly bytes: number;
  readonly eachMs: number;
}

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** Far more than any client sends. */
const bytesMax: Readonly<Record<FileType, number>> = {
  config: 64 * kibibyte,
  keys: 64 * kibibyte,
  locks: 64 * kibibyte,
  snapshots: 256 * mebibyte,
  index: 1024 * mebibyte,
  data: 1024 * mebibyte,
  backstay: 256 * mebibyte,
};

/** No line is so slow that is of any use. */
export const usualUploadPace: UploadPace = { bytes: 16 * kibibyte, eachMs: 60_000 };

/** Names of these are not made from their content. */
const freelyNamed: ReadonlySet<FileType> = new Set(["config", "backstay"]);

export class Uploads {
  readonly #usage: UsageBook;
  readonly #pace: UploadPace;

  constructor(usage: UsageBook, pace: UploadPace) {
    this.#usage = usage;
    this.#pace = pace;
  }

  /**
   * Stores the content of a request, durable when it resolves; the same content again is success. Throws the Problem to
   * answer with, or a BackstayError of the storage.
   */
  async take(upload: Upload): Promise<void> {
    const { account, objects, handle, request, retention } = upload;
    const sizeBytes = declaredBytes(request);
    if (sizeBytes > bytesMax[handle.type])
      throw refusal("gateway-too-large", `Most is ${bytesMax[handle.type]} bytes.`);
    if ((await objects.stat(account.place, handle)) !== undefined)
      return await this.#compare(upload, sizeBytes);
    const reservation = await this.#usage.reserve(account, { handle, sizeBytes });
    const body = new CheckedBody(upload, sizeBytes, this.#pace);
    try {
      const parts = body.parts();
      const outcome = await objects.receive(account.place, handle, sizeBytes, parts, retention);
      if (outcome === "created") return await reservation.keep();
    } catch (error) {
      if (error === body.failure) await reservation.giveBack();
      // Its answer may have been lost, after all.
      else await reservation.look(objects);
      if (isBackstayError(error, "STORE_MISSING")) throw refusal("gateway-not-created");
      throw error;
    }
    await reservation.giveBack();
    for await (const _part of body.parts());
    await this.#requireSame(upload, sizeBytes, body.hash);
  }

  /** The name is taken already: nothing is written, only looked at. */
  async #compare(upload: Upload, sizeBytes: number): Promise<void> {
    const body = new CheckedBody(upload, sizeBytes, this.#pace);
    for await (const _part of body.parts());
    await this.#requireSame(upload, sizeBytes, body.hash);
  }

  /** Success if what is stored is what was sent. Whoever stored it may have died before it was durable. */
  async #requireSame(
    { account, objects, handle }: Upload,
    sizeBytes: number,
    hash: string,
  ): Promise<void> {
    const stored = await objects.open(account.place, handle, undefined);
    if (stored === undefined) throw refusal("gateway-name-taken");
    if (stored.sizeBytes !== sizeBytes) {
      stored.body.destroy();
      throw refusal("gateway-name-taken");
    }
    const storedHash = createHash("sha256");
    for await (const part of stored.body) storedHash.update(part as Uint8Array);
    if (storedHash.digest("hex") !== hash) throw refusal("gateway-name-taken");
    await objects.settle(account.place, handle);
  }
}

/** The content of a request, which is known to be what its name says before its last part is given on. */
class CheckedBody {
  readonly #upload: Upload;
  readonly #sizeBytes: number;
  readonly #pace: UploadPace;
  readonly #hash = createHash("sha256");
  #hex: string | undefined;
  #held: Uint8Array | undefined;
  #bytes = 0;
  /** Why `parts` has thrown. */
  failure: unknown;

  constructor(upload: Upload, sizeBytes: number, pace: UploadPace) {
    this.#upload = upload;
    this.#sizeBytes = sizeBytes;
    this.#pace = pace;
  }

  /** SHA-256 in hex, once all was read. */
  get hash(): string {
    return this.#hex ?? "";
  }

  /** Throws the Problem to answer with. Who has stopped to ask may ask again: what is left comes then. */
  async *parts(): AsyncGenerator<Uint8Array> {
    if (this.#hex !== undefined) return;
    const { request, arrived } = this.#upload;
    let bytesAtLook = 0;
    const look = setInterval(() => {
      if (this.#bytes - bytesAtLook < this.#pace.bytes) request.destroy();
      bytesAtLook = this.#bytes;
    }, this.#pace.eachMs);
    try {
      yield* this.#read(request, arrived);
    } catch (error) {
      this.failure =
        request.destroyed && !(error instanceof Problem) ? refusal("gateway-cut") : error;
      throw this.failure;
    } finally {
      clearInterval(look);
    }
  }

  async *#read(
    request: IncomingMessage,
    arrived: (bytes: number) => void,
  ): AsyncGenerator<Uint8Array> {
    const parts = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    for await (const part of parts) {
      this.#bytes += part.length;
      arrived(part.length);
      this.#hash.update(part);
      const before = this.#held;
      this.#held = part;
      if (before !== undefined) yield before;
    }
    if (this.#bytes !== this.#sizeBytes) throw refusal("gateway-cut");
    this.#hex = this.#hash.digest("hex");
    refuseOtherHash(this.#upload.handle, this.#hex);
    if (this.#held !== undefined) yield this.#held;
  }
}

function declaredBytes(request: IncomingMessage): number {
  const length = request.headers["content-length"];
  if (length === undefined || !/^\d{1,15}$/.test(length)) throw refusal("gateway-no-length");
  return Number(length);
}

function refuseOtherHash({ type, name }: Handle, hash: string): void {
  if (!freelyNamed.has(type) && hash !== name) throw refusal("gateway-hash");
}
