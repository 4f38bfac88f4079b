/** Takes one file in while it arrives: never a whole one in memory, never half of one in sight. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { FileType, Handle } from "../../storage/object-store.ts";
import type { GatewayAccount } from "./gateway-accounts.ts";
import type { GatewayObjects } from "./gateway-objects.ts";
import { refusal } from "./gateway-problems.ts";
import type { UsageBook } from "./usage-book.ts";

export interface Upload {
  readonly account: GatewayAccount;
  readonly handle: Handle;
  readonly request: IncomingMessage;
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
  readonly #objects: GatewayObjects;
  readonly #usage: UsageBook;
  readonly #pace: UploadPace;

  constructor(objects: GatewayObjects, usage: UsageBook, pace: UploadPace) {
    this.#objects = objects;
    this.#usage = usage;
    this.#pace = pace;
  }

  /**
   * Stores the content of a request, durable when it resolves; the same content again is success. Throws the Problem to
   * answer with, or a BackstayError of the storage.
   */
  async take(upload: Upload): Promise<void> {
    const { account, handle, request } = upload;
    const sizeBytes = declaredBytes(request);
    if (sizeBytes > bytesMax[handle.type])
      throw refusal("gateway-too-large", `Most is ${bytesMax[handle.type]} bytes.`);
    if ((await this.#objects.stat(account.place, handle)) !== undefined)
      return await this.#compare(upload, sizeBytes);
    const reservation = await this.#usage.reserve(account, sizeBytes, handle.type === "locks");
    try {
      if ((await this.#store(upload, sizeBytes)) === "created") reservation.keep();
    } finally {
      await reservation.end();
    }
  }

  async #store(upload: Upload, sizeBytes: number): Promise<"created" | "exists"> {
    const { account, handle } = upload;
    const incoming = await this.#objects.receive(account.place, handle, sizeBytes);
    try {
      const hash = await this.#readBody(upload, sizeBytes, async (part) => {
        await incoming.write(part);
      });
      refuseOtherHash(handle, hash);
      const outcome = await incoming.publish();
      if (outcome === "exists") await this.#requireSame(upload, sizeBytes, hash);
      return outcome;
    } catch (error) {
      if (isBackstayError(error, "STORE_MISSING")) throw refusal("gateway-not-created");
      throw error;
    } finally {
      await incoming.discard();
    }
  }

  /** The name is taken already: nothing is written, only looked at. */
  async #compare(upload: Upload, sizeBytes: number): Promise<void> {
    const hash = await this.#readBody(upload, sizeBytes, async () => {});
    refuseOtherHash(upload.handle, hash);
    await this.#requireSame(upload, sizeBytes, hash);
  }

  /** Success if what is stored is what was sent. Whoever stored it may have died before it was durable. */
  async #requireSame({ account, handle }: Upload, sizeBytes: number, hash: string): Promise<void> {
    const stored = await this.#objects.open(account.place, handle);
    if (stored === undefined) throw refusal("gateway-name-taken");
    if (stored.sizeBytes !== sizeBytes) {
      await stored.close();
      throw refusal("gateway-name-taken");
    }
    const storedHash = createHash("sha256");
    for await (const part of stored.read(undefined)) storedHash.update(part as Uint8Array);
    if (storedHash.digest("hex") !== hash) throw refusal("gateway-name-taken");
    await this.#objects.settle(account.place, handle);
  }

  /** Reads all of the body; returns its SHA-256 in hex. */
  async #readBody(
    { request, arrived }: Upload,
    sizeBytes: number,
    take: (part: Uint8Array) => Promise<void>,
  ): Promise<string> {
    const hash = createHash("sha256");
    let bytes = 0;
    let bytesAtLook = 0;
    const look = setInterval(() => {
      if (bytes - bytesAtLook < this.#pace.bytes) request.destroy();
      bytesAtLook = bytes;
    }, this.#pace.eachMs);
    try {
      for await (const part of request as AsyncIterable<Buffer>) {
        bytes += part.length;
        arrived(part.length);
        hash.update(part);
        await take(part);
      }
    } catch (error) {
      if (request.destroyed && !isBackstayError(error)) throw refusal("gateway-cut");
      throw error;
    } finally {
      clearInterval(look);
    }
    if (bytes !== sizeBytes) throw refusal("gateway-cut");
    return hash.digest("hex");
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
