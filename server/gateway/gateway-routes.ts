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
import {
  gatewayHeader,
  gatewayWords,
  lockedUntilHeader,
  lockHeader,
} from "../../protocol/gateway-locks.ts";
import type {
  ByteRange,
  FileType,
  Handle,
  StoredFile,
  StreamedObject,
} from "../../storage/object-store.ts";
import { openStore } from "../../storage/open-store.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import type { App } from "../http/http-app.ts";
import { Problem } from "../http/problem.ts";
import { FolderObjects } from "./folder-objects.ts";
import { type GatewayAccount, GatewayAccounts } from "./gateway-accounts.ts";
import { type GatewayMetrics, gatewayMetrics } from "./gateway-metrics.ts";
import type { GatewayObjects, GatewayPlace } from "./gateway-objects.ts";
import { type GatewayAddress, gatewayAddress } from "./gateway-path.ts";
import { refusal } from "./gateway-problems.ts";
import { GatewayStores, type GatewayStoresParts } from "./gateway-stores.ts";
import { extendLock, isLockQuestion, lockedUntil, mayLock, ruleOfUpload } from "./object-locks.ts";
import { plainRange, wantedBytes } from "./range-header.ts";
import { RequestSlots, type SlotLimits, usualSlotLimits } from "./request-slots.ts";
import { type UploadPace, Uploads, usualUploadPace } from "./upload.ts";
import { UsageBook } from "./usage-book.ts";

export interface GatewayParts {
  readonly ground: ServerGround;
  readonly metrics: Registry;
  /** False: the folder with the files of repositories is at another server; storages are everywhere. */
  readonly hasFolder?: boolean;
  /** In place of the folder `repositories` of the server's data. */
  readonly objects?: GatewayObjects;
  /** How storages are opened, in place of the usual way. */
  readonly open?: GatewayStoresParts["open"];
  /** So long a file waits while the same one is on its way, ms. */
  readonly patienceMs?: number;
  readonly storeLimits?: GatewayStoresParts["limits"];
  /** By which proxies this server gets out, and whom it trusts, as variables of the environment. */
  readonly environment?: GatewayStoresParts["environment"];
  readonly slots?: SlotLimits;
  readonly pace?: UploadPace;
}

/** An account with what its files are in. */
interface Served extends GatewayAccount {
  readonly objects: GatewayObjects;
}

const settleMs = 60_000;
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
      reply.header(gatewayHeader, gatewayWords.plain);
    });
    scope.addHook("onError", async (_request, _reply, error) => gateway.countRefusal(error));
    scope.route({
      method: [...methods],
      url: "/gateway/*",
      config: { access: { kind: "gateway" }, streamsBody: true },
      schema: { hide: true },
      handler: async (request, reply) => await gateway.answer(request, reply),
    });
    scope.addHook("onReady", async () => await gateway.start());
    scope.addHook("onClose", async () => await gateway.close());
  });
}

class Gateway {
  readonly #ground: ServerGround;
  readonly #folder: FolderObjects | undefined;
  readonly #stores: GatewayStores;
  readonly #accounts: GatewayAccounts;
  readonly #metrics: GatewayMetrics;
  readonly #usage: UsageBook;
  readonly #uploads: Uploads;
  readonly #slots: RequestSlots;
  readonly #settling: NodeJS.Timeout;
  #underWay: Promise<void> = Promise.resolve();

  constructor(parts: GatewayParts) {
    const { ground, metrics, objects, slots, pace, hasFolder = true } = parts;
    this.#ground = ground;
    if (hasFolder)
      this.#folder = new FolderObjects(path.join(ground.settings.dataFolder, "repositories"));
    this.#stores = new GatewayStores({
      ground,
      folder: objects ?? this.#folder,
      open: parts.open ?? openStore,
      environment: parts.environment ?? {},
      limits: parts.storeLimits,
    });
    this.#accounts = new GatewayAccounts(ground);
    this.#metrics = gatewayMetrics(metrics);
    this.#usage = new UsageBook({
      ground,
      metrics: this.#metrics,
      patienceMs: parts.patienceMs,
      withObjects: async (place, act) => await this.#stores.with(place, act),
    });
    this.#uploads = new Uploads(this.#usage, pace ?? usualUploadPace);
    this.#slots = new RequestSlots(slots ?? usualSlotLimits);
    this.#settling = setInterval(() => this.#inBackground(this.#usage.settle()), settleMs).unref();
  }

  async start(): Promise<void> {
    await this.#usage.begin();
    const places = (await this.#folder?.leftovers()) ?? [];
    const counted = async (place: GatewayPlace): Promise<void> =>
      await this.#folder?.counted(place);
    this.#inBackground(
      this.#usage.recount(places, counted).then(async () => await this.#usage.settle()),
    );
  }

  async close(): Promise<void> {
    clearInterval(this.#settling);
    await this.#underWay;
    await this.#usage.end();
    await this.#stores.close();
  }

  #inBackground(work: Promise<void>): void {
    this.#underWay = Promise.all([this.#underWay, work]).then(
      () => undefined,
      (error: unknown) => {
        if (this.#ground.signal.aborted) return;
        this.#ground.log.failure("What is stored could not be counted anew.", error);
      },
    );
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
      throw this.#problemOfStorage(error, lockHeader in request.headers);
    }
  }

  async #admit(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    // The address as it came: nothing is decoded on the way.
    const address = gatewayAddress(request.raw.url ?? "");
    if (address === undefined) throw refusal("gateway-address");
    const { authorization } = request.headers;
    const account = await this.#accounts.admit({ ...address, authorization });
    if (mayLock(account)) reply.header(gatewayHeader, gatewayWords.locks);
    const release = this.#slots.enter(`${address.repositoryId}/${address.agentId}`);
    this.#metrics.underWay.set(this.#slots.underWay);
    reply.raw.once("close", () => {
      release();
      this.#metrics.underWay.set(this.#slots.underWay);
    });
    const { objects, release: letGo } = await this.#stores.hold(account.place, account.storage);
    if (reply.raw.closed) letGo();
    else reply.raw.once("close", letGo);
    return await this.#serve(request, reply, { ...account, objects }, address);
  }

  async #serve(
    request: FastifyRequest,
    reply: FastifyReply,
    account: Served,
    { target }: GatewayAddress,
  ): Promise<FastifyReply> {
    const { method } = request;
    if (target.kind === "repository") {
      if (method === "DELETE") throw refusal("gateway-append-only");
      if (method !== "POST" || !target.isCreate) throw wrongMethod("POST");
      this.#count("create");
      this.#requireLease(account);
      await account.objects.create(account.place);
      return done(reply);
    }
    if (target.kind === "list") {
      if (method !== "GET") throw wrongMethod("GET");
      this.#count("list");
      return this.#list(request, reply, account, target.type);
    }
    return await this.#serveFile(request, reply, account, target.handle);
  }

  async #serveFile(
    request: FastifyRequest,
    reply: FastifyReply,
    account: Served,
    handle: Handle,
  ): Promise<FastifyReply> {
    const { method } = request;
    const isLock = handle.type === "locks";
    if (method === "GET" || method === "HEAD") {
      this.#count(method === "GET" ? "download" : "stat");
      return await this.#give(request, reply, account, handle);
    }
    if (method === "PATCH" && lockHeader in request.headers) {
      this.#count("lock");
      this.#requireLease(account);
      await extendLock(request.headers, account, handle);
      return done(reply);
    }
    if (method === "POST") {
      this.#count("upload");
      if (!isLock) this.#requireLease(account);
      const retention = isLock ? undefined : ruleOfUpload(request.headers, account);
      const arrived = (bytes: number): void => this.#metrics.bytes.inc({ direction: "in" }, bytes);
      await this.#uploads.take({
        account,
        objects: account.objects,
        handle,
        request: request.raw,
        retention,
        arrived,
      });
      return done(reply);
    }
    if (method !== "DELETE") throw wrongMethod("GET, HEAD, POST, PATCH, DELETE");
    this.#count("remove");
    if (!isLock) throw refusal("gateway-append-only");
    await this.#usage.free(account.objects, account.place, handle);
    return done(reply);
  }

  async #give(
    request: FastifyRequest,
    reply: FastifyReply,
    account: Served,
    handle: Handle,
  ): Promise<FastifyReply> {
    const { place, objects } = account;
    reply.header("accept-ranges", "bytes").type("application/octet-stream");
    if (request.method === "HEAD") {
      const sizeBytes = await objects.stat(place, handle);
      if (sizeBytes === undefined) throw refusal("gateway-absent");
      if (isLockQuestion(request.headers)) {
        const untilMs = await lockedUntil(account, handle);
        if (untilMs !== undefined) reply.header(lockedUntilHeader, String(untilMs));
      }
      return reply.header("content-length", sizeBytes).send();
    }
    const { file, range } = await this.#opened(request.headers.range, { place, objects }, handle);
    const { sizeBytes, body } = file;
    if (range !== undefined)
      reply
        .status(206)
        .header(
          "content-range",
          `bytes ${range.offset}-${range.offset + range.length - 1}/${sizeBytes}`,
        );
    body.on("data", (bytes: Buffer) => {
      this.#metrics.bytes.inc({ direction: "out" }, bytes.length);
    });
    // Listening alone would start it.
    body.pause();
    return reply.header("content-length", range?.length ?? sizeBytes).send(body);
  }

  /** The file from where on it is asked for; `range` undefined: all of it. */
  async #opened(
    header: string | undefined,
    { place, objects }: Pick<Served, "place" | "objects">,
    handle: Handle,
  ): Promise<{ readonly file: StreamedObject; readonly range: ByteRange | undefined }> {
    const open = async (range: ByteRange | undefined) => {
      const file = await objects.open(place, handle, range);
      if (file === undefined) throw refusal("gateway-absent");
      return { file, range };
    };
    if (header === undefined) return await open(undefined);
    const plain = plainRange(header);
    if (plain !== undefined)
      try {
        return await open(plain);
      } catch (error) {
        if (!isBackstayError(error, "STORE_RANGE")) throw error;
      }
    const sizeBytes = await objects.stat(place, handle);
    if (sizeBytes === undefined) throw refusal("gateway-absent");
    const wanted = wantedBytes(header, sizeBytes);
    if (wanted.kind === "none")
      throw refusal("gateway-range", undefined, { "content-range": `bytes */${sizeBytes}` });
    return await open(wanted.kind === "part" ? wanted : undefined);
  }

  #list(
    request: FastifyRequest,
    reply: FastifyReply,
    { place, objects }: Served,
    type: FileType,
  ): FastifyReply {
    const version = request.headers.accept === listMediaTypes.v2 ? "v2" : "v1";
    const files = objects.list(place, type, never);
    return reply.type(listMediaTypes[version]).send(Readable.from(listParts(files, version)));
  }

  /** What the storage behind us says, in words that clients act on. Its own facts stay here. */
  #problemOfStorage(error: unknown, isLocking: boolean): unknown {
    if (!isBackstayError(error)) return error;
    if (error.code === "STORE_FULL") return refusal("gateway-disk-full");
    if (error.code === "STORE_MISSING") return refusal("gateway-not-created");
    if (error.code === "STORE_LACKS") return refusal("gateway-locks");
    const { retryAfterMs } = error.context;
    const seconds = typeof retryAfterMs === "number" ? Math.ceil(retryAfterMs / 1000) : 10;
    const isOfStorage = /^(STORE|SECRET)_/.test(error.code);
    if (error.kind !== "temporary") {
      if (!isOfStorage) return error;
      this.#ground.log.failure("The storage behind the gateway can't be used.", error);
      // What it refuses with a lock it refuses again: the machine need not ask until it gives up.
      if (isLocking && error.code === "STORE_DENIED") return refusal("gateway-locks");
    }
    return refusal("gateway-storage", undefined, { "retry-after": String(seconds) });
  }

  #count(operation: string): void {
    this.#metrics.requests.inc({ operation });
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
