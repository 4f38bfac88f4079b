/**
 * A stand-in for Google Cloud Storage, made after its documentation because nothing that runs here keeps its
 * preconditions: the JSON API as far as stores use it, the XML API's reads (Google's own Go client uses them), tokens of
 * OAuth 2.0, and failures on request. Everything is kept in memory.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { ApiError, invalid } from "./api-error.ts";
import { FakeBucket, type ObjectSettings } from "./fake-bucket.ts";
import { download } from "./fake-downloads.ts";
import { CutOff, FakeExchange } from "./fake-exchange.ts";
import { FakeFailures, type FakeOperation } from "./fake-failures.ts";
import { bucketDocument, listDocument, objectDocument } from "./fake-listing.ts";
import { FakeTokens, OAuthRefusal, type Rights } from "./fake-tokens.ts";
import { FakeUploads } from "./fake-uploads.ts";

export interface FakeGoogleOptions {
  /** 0, the default: any that is free. */
  readonly port?: number;
  /** Requests without a token that is good are refused; otherwise tokens are not looked at. */
  readonly wantsTokens?: boolean;
  /** PEM; with it, it speaks TLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

export class FakeGoogle {
  readonly buckets = new Map<string, FakeBucket>();
  readonly failures = new FakeFailures();
  readonly tokens: FakeTokens;
  readonly uploads = new FakeUploads();
  /** Each request, `METHOD /path?query`. */
  readonly requests: string[] = [];
  /** Added to its clock. */
  clockOffsetMs = 0;
  readonly #wantsTokens: boolean;
  readonly #server: Server;
  readonly #scheme: "http" | "https";

  private constructor({ wantsTokens = false, tls }: FakeGoogleOptions) {
    this.tokens = new FakeTokens(() => this.nowMs);
    this.#wantsTokens = wantsTokens;
    const listener = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#serve(new FakeExchange(request, response));
    this.#server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
    this.#scheme = tls === undefined ? "http" : "https";
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  static async start(options: FakeGoogleOptions = {}): Promise<FakeGoogle> {
    const fake = new FakeGoogle(options);
    await new Promise<void>((resolve, reject) => {
      fake.#server.once("error", reject);
      fake.#server.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
    return fake;
  }

  /** What `STORAGE_EMULATOR_HOST` takes. */
  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get nowMs(): number {
    return Date.now() + this.clockOffsetMs;
  }

  /** A bucket that is there; made if it is not. */
  bucket(name: string): FakeBucket {
    const bucket = this.buckets.get(name) ?? new FakeBucket(name, () => this.nowMs);
    this.buckets.set(name, bucket);
    return bucket;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(exchange: FakeExchange): Promise<void> {
    const { request, response } = exchange;
    this.requests.push(`${request.method} ${request.url}`);
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    response.setHeader("date", new Date(this.nowMs).toUTCString());
    try {
      await this.#route(exchange);
    } catch (error) {
      if (response.headersSent || exchange.isCut || error instanceof CutOff) return exchange.cut();
      if (error instanceof OAuthRefusal) return exchange.answer(400, error.document);
      if (!(error instanceof ApiError)) throw error;
      exchange.query.delete("fields");
      // An answer to a body that nobody reads to its end: the connection is of no more use.
      const headers = request.complete ? error.headers : { ...error.headers, connection: "close" };
      exchange.answer(error.status, error.document, headers);
    }
  }

  async #route(exchange: FakeExchange): Promise<void> {
    const { pathname } = exchange.url;
    if (pathname === "/token")
      return exchange.answer(200, this.tokens.exchange(await formOf(exchange)));
    if (pathname === "/v1/token")
      return exchange.answer(200, this.tokens.downscope(await formOf(exchange)));
    const rights: Rights = this.#wantsTokens
      ? this.tokens.rightsOf(exchange.header("authorization"))
      : () => true;
    const upload = /^\/(?:resumable\/)?upload\/storage\/v1\/b\/([^/]+)\/o$/.exec(pathname);
    if (upload !== null) return await this.#upload(exchange, rights, decode(upload[1]));
    const api = /^\/(?:download\/)?storage\/v1\/b(?:\/([^/]+)(?:\/o(?:\/([^/]+))?)?)?$/.exec(
      pathname,
    );
    const object = api?.[2];
    if (object !== undefined)
      return await this.#object(exchange, rights, decode(api?.[1]), decode(object));
    if (api !== null && /\/o$/.test(pathname)) return this.#list(exchange, rights, decode(api[1]));
    if (api !== null) return await this.#bucket(exchange, rights, decode(api[1]));
    const xml = /^\/([^/]+)\/(.+)$/.exec(pathname);
    if (xml === null || !["GET", "HEAD"].includes(exchange.request.method ?? ""))
      throw new ApiError(501, "notImplemented", "The fake knows no such request.");
    await this.#object(exchange, rights, decode(xml[1]), decode(xml[2]), true);
  }

  async #upload(exchange: FakeExchange, rights: Rights, bucketName: string): Promise<void> {
    const bucket = this.#existing(bucketName);
    const id = exchange.query.get("upload_id");
    if (id !== null) {
      if (exchange.request.method === "PUT") this.#befall(exchange, "storage.objects.upload");
      return await this.uploads.resume(exchange, id);
    }
    this.#befall(exchange, "storage.objects.insert");
    const asked = { bucket: bucketName, listPrefix: "" };
    await this.uploads.insert(exchange, bucket, (name, isLocked) => {
      assertRight(rights, { ...asked, object: name, permission: "storage.objects.create" });
      if (isLocked)
        assertRight(rights, { ...asked, object: name, permission: "storage.objects.setRetention" });
    });
  }

  async #object(
    exchange: FakeExchange,
    rights: Rights,
    bucketName: string,
    name: string,
    isXml = false,
  ): Promise<void> {
    const { query, request } = exchange;
    const bucket = this.#existing(bucketName);
    const may = (verb: string): void =>
      assertRight(rights, {
        permission: `storage.objects.${verb}`,
        bucket: bucketName,
        object: name,
        listPrefix: "",
      });
    const { method } = request;
    const lists = { permission: "storage.objects.list", bucket: bucketName, object: undefined };
    // Who may not list is not told what is there.
    if (!bucket.live.has(name) && !rights({ ...lists, listPrefix: "" }))
      throw new ApiError(
        403,
        "forbidden",
        `The account does not have storage.objects.list access to the Google Cloud Storage object (${bucketName}/${name}), or it may not exist.`,
      );
    if (method === "GET" || method === "HEAD") {
      this.#befall(exchange, "storage.objects.get");
      may("get");
      if (isXml || query.get("alt") === "media") return await download(exchange, bucket, name);
      const object = bucket.object(name, exchange.generation);
      return exchange.answer(200, objectDocument(bucket, object));
    }
    if (method === "DELETE") {
      this.#befall(exchange, "storage.objects.delete");
      may("delete");
      bucket.remove(name, exchange.generation, exchange.preconditions);
      return exchange.send(204, Buffer.alloc(0));
    }
    if (method !== "PATCH") throw new ApiError(501, "notImplemented", "Not in the fake.");
    this.#befall(exchange, "storage.objects.patch");
    may("update");
    const changes = (await exchange.document()) as ObjectSettings;
    if (changes.retention !== undefined) may("setRetention");
    const overrides = query.get("overrideUnlockedRetention") === "true";
    if (overrides) may("overrideUnlockedRetention");
    const object = bucket.patch(name, changes, exchange.preconditions, overrides);
    exchange.answer(200, objectDocument(bucket, object));
  }

  #list(exchange: FakeExchange, rights: Rights, bucketName: string): void {
    this.#befall(exchange, "storage.objects.list");
    const bucket = this.#existing(bucketName);
    const listPrefix = exchange.query.get("prefix") ?? "";
    const asked = { permission: "storage.objects.list", bucket: bucketName, object: undefined };
    assertRight(rights, { ...asked, listPrefix });
    exchange.answer(200, listDocument(bucket, exchange.query));
  }

  async #bucket(exchange: FakeExchange, rights: Rights, name: string): Promise<void> {
    const asked = { bucket: name, object: undefined, listPrefix: "" };
    if (exchange.request.method === "GET") {
      this.#befall(exchange, "storage.buckets.get");
      assertRight(rights, { ...asked, permission: "storage.buckets.get" });
      return exchange.answer(200, bucketDocument(this.#existing(name)));
    }
    if (exchange.request.method !== "POST" || name !== "")
      throw new ApiError(501, "notImplemented", "Not in the fake.");
    this.#befall(exchange, "storage.buckets.insert");
    const { name: wanted, iamConfiguration } = await exchange.document();
    if (exchange.query.get("project") === null) throw invalid("Required parameter: project");
    if (typeof wanted !== "string" || !/^[a-z0-9][a-z0-9._-]{2,221}$/.test(wanted))
      throw invalid("Invalid bucket name.");
    assertRight(rights, { ...asked, bucket: wanted, permission: "storage.buckets.create" });
    if (this.buckets.has(wanted))
      throw new ApiError(409, "conflict", "Your previous request to create it succeeded.");
    const bucket = this.bucket(wanted);
    const { uniformBucketLevelAccess } = (iamConfiguration ?? {}) as {
      uniformBucketLevelAccess?: { enabled?: boolean };
    };
    bucket.settings.uniformAccess = uniformBucketLevelAccess?.enabled === true;
    bucket.settings.objectRetention = exchange.query.get("enableObjectRetention") === "true";
    exchange.answer(200, bucketDocument(bucket));
  }

  #existing(name: string): FakeBucket {
    const bucket = this.buckets.get(name);
    if (bucket !== undefined) return bucket;
    throw new ApiError(404, "notFound", "The specified bucket does not exist.");
  }

  /** Lets the next planned failure of an operation happen, as far as it happens before anything else. */
  #befall(exchange: FakeExchange, operation: FakeOperation): void {
    const range = /^bytes \d+-(\d+)\/(\d+)$/.exec(exchange.header("content-range") ?? "");
    const isFinalPart = range !== null && Number(range[1]) + 1 === Number(range[2]);
    const failure = this.failures.next(operation, isFinalPart);
    exchange.failure = failure;
    if (failure === undefined) return;
    if (failure.kind === "reset") {
      exchange.cut();
      throw new CutOff();
    }
    if (failure.kind !== "return" || failure.afterBytes > 0) return;
    const { status, retryAfterS } = failure;
    throw new ApiError(
      status,
      status === 429 ? "rateLimitExceeded" : "backendError",
      "Planned failure.",
      retryAfterS === undefined ? {} : { "retry-after": String(retryAfterS) },
    );
  }
}

function assertRight(rights: Rights, asked: Parameters<Rights>[0]): void {
  if (rights(asked)) return;
  const { permission, bucket, object } = asked;
  const resource = object === undefined ? `bucket (${bucket})` : `object (${bucket}/${object})`;
  throw new ApiError(
    403,
    "forbidden",
    `The account does not have ${permission} access to the Google Cloud Storage ${resource}.`,
  );
}

async function formOf(exchange: FakeExchange): Promise<URLSearchParams> {
  const { bytes } = await exchange.body();
  return new URLSearchParams(Buffer.from(bytes).toString("utf8"));
}

function decode(text: string | undefined): string {
  return decodeURIComponent(text ?? "");
}
