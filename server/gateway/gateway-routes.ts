/**
 * The gateway: restic's REST protocol, version 2, over the server's listener, with a place and an account for each machine
 * in each repository. Append-only: nothing but locks is ever removed or replaced.
 */
import type { IncomingMessage } from "node:http";
import path from "node:path";
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Registry } from "prom-client";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { FileType, Handle, StoredFile } from "../../storage/object-store.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import type { App } from "../http/http-app.ts";
import { Problem } from "../http/problem.ts";
import { FolderObjects } from "./folder-objects.ts";
import { type GatewayAccount, GatewayAccounts } from "./gateway-accounts.ts";
import { type GatewayMetrics, gatewayMetrics } from "./gateway-metrics.ts";
import type { GatewayObjects } from "./gateway-objects.ts";
import { type GatewayAddress, gatewayAddress } from "./gateway-path.ts";
import { refusal } from "./gateway-problems.ts";
import { wantedBytes } from "./range-header.ts";
import { RequestSlots, type SlotLimits, usualSlotLimits } from "./request-slots.ts";
import { type UploadPace, Uploads, usualUploadPace } from "./upload.ts";
import { UsageBook } from "./usage-book.ts";

export interface GatewayParts {
  readonly ground: ServerGround;
  readonly metrics: Registry;
  /** Where files are kept; the folder `repositories` of the server's data unless given. */
  readonly objects?: GatewayObjects;
  readonly slots?: SlotLimits;
  readonly pace?: UploadPace;
}

const listMediaTypes = {
  v1: "application/vnd.x.restic.rest.v1",
  v2: "application/vnd.x.restic.rest.v2",
};
const never = new AbortController().signal;
const listPartCharacters = 64 * 1024;
/** What is refused is read to its end, so that the client hears why; but no more than this, and no longer. */
const drained = { bytesMax: 64 * 1024 * 1024, ms: 60_000 };
const methods = ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH"] as const;

/** Registers the gateway. `app` must know `access` and `streamsBody` of routes (server/http). */
export async function gatewayRoutes(app: App, parts: GatewayParts): Promise<void> {
  const gateway = new Gateway(parts);
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
    scope.addHook("onRequest", async (_request, reply) => {
      reply.header("backstay-gateway", "1");
    });
    scope.addHook("onError", async (_request, _reply, error) => gateway.countRefusal(error));
    scope.route({
      method: [...methods],
      url: "/gateway/*",
      config: { access: { kind: "gateway" }, streamsBody: true },
      schema: { hide: true },
      handler: async (request, reply) => await gateway.answer(request, reply),
    });
    scope.addHook("onReady", async () => gateway.start());
    scope.addHook("onClose", async () => await gateway.close());
  });
}

class Gateway {
  readonly #ground: ServerGround;
  readonly #objects: GatewayObjects;
  readonly #accounts: GatewayAccounts;
  readonly #metrics: GatewayMetrics;
  readonly #usage: UsageBook;
  readonly #uploads: Uploads;
  readonly #slots: RequestSlots;
  #recounting: Promise<void> = Promise.resolve();

  constructor({ ground, metrics, objects, slots, pace }: GatewayParts) {
    this.#ground = ground;
    this.#objects =
      objects ?? new FolderObjects(path.join(ground.settings.dataFolder, "repositories"));
    this.#accounts = new GatewayAccounts(ground);
    this.#metrics = gatewayMetrics(metrics);
    this.#usage = new UsageBook({ ground, objects: this.#objects, metrics: this.#metrics });
    this.#uploads = new Uploads(this.#objects, this.#usage, pace ?? usualUploadPace);
    this.#slots = new RequestSlots(slots ?? usualSlotLimits);
  }

  start(): void {
    this.#recounting = this.#usage.recount().catch((error: unknown) => {
      if (this.#ground.signal.aborted) return;
      this.#ground.log.failure("What is stored could not be counted anew.", error);
    });
  }

  async close(): Promise<void> {
    await this.#recounting;
    await this.#usage.close();
  }

  countRefusal(error: Error): void {
    const reason = error instanceof Problem ? error.parts.code : "internal";
    this.#metrics.refused.inc({ reason });
  }

  async answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    try {
      return await this.#admit(request, reply);
    } catch (error) {
      limitRest(request.raw, reply);
      throw problemOfStorage(error);
    }
  }

  async #admit(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    // The address as it came: nothing is decoded on the way.
    const address = gatewayAddress(request.raw.url ?? "");
    if (address === undefined) throw refusal("gateway-address");
    const { authorization } = request.headers;
    const account = await this.#accounts.admit({ ...address, authorization });
    const release = this.#slots.enter(`${address.repositoryId}/${address.agentId}`);
    this.#metrics.underWay.set(this.#slots.underWay);
    reply.raw.once("close", () => {
      release();
      this.#metrics.underWay.set(this.#slots.underWay);
    });
    return await this.#serve(request, reply, account, address);
  }

  async #serve(
    request: FastifyRequest,
    reply: FastifyReply,
    account: GatewayAccount,
    { target }: GatewayAddress,
  ): Promise<FastifyReply> {
    const { method } = request;
    const count = (operation: string): void => this.#metrics.requests.inc({ operation });
    if (target.kind === "repository") {
      if (method === "DELETE") throw refusal("gateway-append-only");
      if (method !== "POST" || !target.isCreate) throw wrongMethod("POST");
      count("create");
      this.#requireLease(account);
      await this.#objects.create(account.place);
      return done(reply);
    }
    if (target.kind === "list") {
      if (method !== "GET") throw wrongMethod("GET");
      count("list");
      return this.#list(request, reply, account, target.type);
    }
    const { handle } = target;
    const isLock = handle.type === "locks";
    if (method === "GET" || method === "HEAD") {
      count(method === "GET" ? "download" : "stat");
      return await this.#give(request, reply, account, handle);
    }
    if (method === "POST") {
      count("upload");
      if (!isLock) this.#requireLease(account);
      const arrived = (bytes: number): void => this.#metrics.bytes.inc({ direction: "in" }, bytes);
      await this.#uploads.take({ account, handle, request: request.raw, arrived });
      return done(reply);
    }
    if (method !== "DELETE") throw wrongMethod("GET, HEAD, POST, DELETE");
    count("remove");
    if (!isLock) throw refusal("gateway-append-only");
    await this.#usage.free(account.place, () => this.#objects.remove(account.place, handle));
    return done(reply);
  }

  async #give(
    request: FastifyRequest,
    reply: FastifyReply,
    { place }: GatewayAccount,
    handle: Handle,
  ): Promise<FastifyReply> {
    reply.header("accept-ranges", "bytes").type("application/octet-stream");
    if (request.method === "HEAD") {
      const sizeBytes = await this.#objects.stat(place, handle);
      if (sizeBytes === undefined) throw refusal("gateway-absent");
      return reply.header("content-length", sizeBytes).send();
    }
    const file = await this.#objects.open(place, handle);
    if (file === undefined) throw refusal("gateway-absent");
    const { sizeBytes } = file;
    const wanted = wantedBytes(request.headers.range, sizeBytes);
    if (wanted.kind === "none") {
      await file.close();
      throw refusal("gateway-range", undefined, { "content-range": `bytes */${sizeBytes}` });
    }
    const part = wanted.kind === "part" ? wanted : undefined;
    if (part !== undefined)
      reply
        .status(206)
        .header(
          "content-range",
          `bytes ${part.offset}-${part.offset + part.length - 1}/${sizeBytes}`,
        );
    const content = file.read(part);
    content.on("data", (bytes: Buffer) => {
      this.#metrics.bytes.inc({ direction: "out" }, bytes.length);
    });
    // Listening alone would start it.
    content.pause();
    return reply.header("content-length", part?.length ?? sizeBytes).send(content);
  }

  #list(
    request: FastifyRequest,
    reply: FastifyReply,
    { place }: GatewayAccount,
    type: FileType,
  ): FastifyReply {
    const version = request.headers.accept === listMediaTypes.v2 ? "v2" : "v1";
    const files = this.#objects.list(place, type, never);
    return reply.type(listMediaTypes[version]).send(Readable.from(listParts(files, version)));
  }

  #requireLease({ leaseUntilMs }: GatewayAccount): void {
    if (leaseUntilMs !== null && this.#ground.now() >= leaseUntilMs) throw refusal("gateway-lease");
  }
}

/** Of a body that nobody reads: a long one ends the connection, a slow one too. */
function limitRest(request: IncomingMessage, reply: FastifyReply): void {
  const { "content-length": length, "transfer-encoding": coding } = request.headers;
  if (request.complete || (coding === undefined && Number(length ?? 0) === 0)) return;
  if (coding !== undefined || Number(length) > drained.bytesMax)
    reply.header("connection", "close");
  const impatience = setTimeout(() => request.destroy(), drained.ms);
  request.once("close", () => clearTimeout(impatience));
}

/** The list as it is read, however long it is. What fails on the way cuts it: no client takes it for whole then. */
async function* listParts(
  files: AsyncIterable<StoredFile>,
  version: "v1" | "v2",
): AsyncGenerator<Buffer> {
  let text = "[";
  let isFirst = true;
  for await (const { name, size } of files) {
    if (!isFirst) text += ",";
    isFirst = false;
    text += JSON.stringify(version === "v2" ? { name, size } : name);
    if (text.length < listPartCharacters) continue;
    yield Buffer.from(text);
    text = "";
  }
  yield Buffer.from(`${text}]`);
}

/** Clients of this protocol know but one success. */
function done(reply: FastifyReply): FastifyReply {
  return reply.status(200).send();
}

function wrongMethod(allow: string): Problem {
  return refusal("gateway-method", undefined, { allow });
}

/** What the storage behind us says, in words that clients act on. Its own facts stay here. */
function problemOfStorage(error: unknown): unknown {
  if (!isBackstayError(error)) return error;
  if (error.code === "STORE_FULL") return refusal("gateway-disk-full");
  if (error.code === "STORE_MISSING") return refusal("gateway-not-created");
  if (error.kind !== "temporary") return error;
  return refusal("gateway-storage", undefined, { "retry-after": "10" });
}
