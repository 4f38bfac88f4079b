/**
 * A small S3 server for machines without a real one: buckets and objects in a folder, whole uploads and uploads in parts,
 * conditional writes, ranges, lists, and one account whose signatures are checked. It has no versions, locks or rules.
 *
 *   node test/object-storage/small-s3/small-s3.ts FOLDER PORT     (account in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)
 *
 * Port 0 takes a free one. Its first line says where it listens.
 */
import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { type ContentClaims, ObjectFolder, type StoredObject } from "./object-folder.ts";
import { requireSignature, type S3Account } from "./request-signature-v4.ts";
import { S3Refusal } from "./s3-refusal.ts";

interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
}

const keysMax = 1000;
const listNamespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

class SmallS3 {
  readonly #folder: ObjectFolder;
  readonly #account: S3Account;

  constructor(folder: ObjectFolder, account: S3Account) {
    this.#folder = folder;
    this.#account = account;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      requireSignature(request, this.#account);
      const url = new URL(request.url ?? "", "http://server");
      const [, bucket = "", key = ""] = /^\/([^/]*)\/?(.*)$/s.exec(url.pathname) ?? [];
      const asked = {
        request,
        response,
        bucket: decodeURIComponent(bucket),
        key: decodeURIComponent(key),
        query: url.searchParams,
      };
      if (!/^[a-z0-9][a-z0-9.-]{2,62}$/.test(asked.bucket))
        throw new S3Refusal(400, "InvalidBucketName", "A bucket has another kind of name.");
      await (asked.key === "" ? this.#ofBucket(asked) : this.#ofObject(asked));
    } catch (error) {
      refuse(request, response, error);
    }
  }

  async #ofBucket({ request, response, bucket, query }: Asked): Promise<void> {
    if (request.method === "PUT") {
      await this.#folder.makeBucket(bucket);
      response.end();
      return;
    }
    await this.#folder.requireBucket(bucket);
    if (request.method === "HEAD") response.end();
    else if (query.has("uploads"))
      response.end(await this.#uploadList(bucket, query.get("prefix") ?? ""));
    else if (query.has("location"))
      response.end(`<LocationConstraint ${listNamespace}></LocationConstraint>`);
    else if (query.has("versioning"))
      response.end(`<VersioningConfiguration ${listNamespace}></VersioningConfiguration>`);
    else if (query.has("lifecycle"))
      throw new S3Refusal(404, "NoSuchLifecycleConfiguration", "There are no rules.");
    else if (query.has("object-lock"))
      throw new S3Refusal(404, "ObjectLockConfigurationNotFoundError", "There is no lock.");
    else if (query.get("list-type") === "2") response.end(await this.#list(bucket, query));
    else throw notKnown();
  }

  async #ofObject(asked: Asked): Promise<void> {
    const { request, response, bucket, key, query } = asked;
    await this.#folder.requireBucket(bucket);
    const isUpload = query.has("uploadId") || query.has("uploads");
    if (isUpload) await this.#ofUpload(asked);
    else if (request.method === "PUT") {
      const tag = await this.#folder.put(
        bucket,
        key,
        content(request),
        claims(request),
        onlyNew(request),
      );
      response.setHeader("etag", `"${tag}"`).end();
    } else if (request.method === "GET" || request.method === "HEAD") await this.#send(asked);
    else if (request.method === "DELETE") {
      await this.#folder.remove(bucket, key);
      response.writeHead(204).end();
    } else throw notKnown();
  }

  async #ofUpload({ request, response, bucket, key, query }: Asked): Promise<void> {
    const id = query.get("uploadId") ?? "";
    if (request.method === "POST" && query.has("uploads")) {
      const begun = await this.#folder.beginUpload(bucket, key);
      response.end(
        `<InitiateMultipartUploadResult ${listNamespace}><UploadId>${begun}</UploadId></InitiateMultipartUploadResult>`,
      );
    } else if (request.method === "PUT") {
      const number = Number(query.get("partNumber"));
      const tag = await this.#folder.putPart(bucket, id, number, content(request), claims(request));
      response.setHeader("etag", `"${tag}"`).end();
    } else if (request.method === "POST") {
      const body = Buffer.concat(await Array.fromAsync(content(request))).toString();
      const numbers = [...body.matchAll(/<PartNumber>(\d+)</g)].map(([, each]) => Number(each));
      const tag = await this.#folder.completeUpload(bucket, id, numbers, onlyNew(request));
      response.end(
        `<CompleteMultipartUploadResult ${listNamespace}><ETag>"${tag}"</ETag></CompleteMultipartUploadResult>`,
      );
    } else if (request.method === "DELETE") {
      await this.#folder.abortUpload(bucket, id);
      response.writeHead(204).end();
    } else throw notKnown();
  }

  async #send({ request, response, bucket, key }: Asked): Promise<void> {
    const { sizeBytes, tag, changedMs } = await this.#folder.require(bucket, key);
    const range = rangeOf(request.headers.range, sizeBytes);
    response.statusCode = range === undefined ? 200 : 206;
    response.setHeader("etag", `"${tag}"`);
    response.setHeader("last-modified", new Date(changedMs).toUTCString());
    const { start, end } = range ?? { start: 0, end: sizeBytes - 1 };
    response.setHeader("content-length", end - start + 1);
    if (range !== undefined)
      response.setHeader("content-range", `bytes ${start}-${end}/${sizeBytes}`);
    if (request.method === "HEAD" || end < start) response.end();
    else await pipeline(createReadStream(this.#folder.file(bucket, key), { start, end }), response);
  }

  async #list(bucket: string, query: URLSearchParams): Promise<string> {
    const prefix = query.get("prefix") ?? "";
    const delimiter = query.get("delimiter") ?? "";
    const after = query.get("continuation-token") ?? query.get("start-after") ?? "";
    const limit = Math.min(keysMax, Number(query.get("max-keys") ?? keysMax));
    const keys = await this.#folder.keys(bucket, prefix, after);
    const folders = new Set<string>();
    const objects: StoredObject[] = [];
    let last = "";
    for (const key of keys) {
      if (objects.length + folders.size >= limit) break;
      last = key;
      const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
      if (cut >= 0) folders.add(key.slice(0, cut + delimiter.length));
      else {
        const found = await this.#folder.describe(bucket, key);
        if (found !== undefined) objects.push(found);
      }
    }
    const isCut = last !== "" && last !== keys.at(-1);
    return [
      `<ListBucketResult ${listNamespace}><IsTruncated>${isCut}</IsTruncated>`,
      isCut ? `<NextContinuationToken>${escaped(last)}</NextContinuationToken>` : "",
      ...objects.map(
        ({ key, sizeBytes, changedMs, tag }) =>
          `<Contents><Key>${escaped(key)}</Key><Size>${sizeBytes}</Size><LastModified>${new Date(changedMs).toISOString()}</LastModified><ETag>"${tag}"</ETag></Contents>`,
      ),
      ...[...folders].map(
        (folder) => `<CommonPrefixes><Prefix>${escaped(folder)}</Prefix></CommonPrefixes>`,
      ),
      "</ListBucketResult>",
    ].join("");
  }

  async #uploadList(bucket: string, prefix: string): Promise<string> {
    const uploads = await this.#folder.uploads(bucket, prefix);
    const entries = uploads.map(
      ({ id, key, startedMs }) =>
        `<Upload><Key>${escaped(key)}</Key><UploadId>${id}</UploadId><Initiated>${new Date(startedMs).toISOString()}</Initiated></Upload>`,
    );
    return `<ListMultipartUploadsResult ${listNamespace}><IsTruncated>false</IsTruncated>${entries.join("")}</ListMultipartUploadsResult>`;
  }
}

function content(request: IncomingMessage): AsyncIterable<Buffer> {
  if (request.headers["content-encoding"]?.includes("aws-chunked") === true)
    throw new S3Refusal(501, "NotImplemented", "Content in chunks is not taken.");
  return request;
}

function claims({ headers }: IncomingMessage): ContentClaims {
  const signed = String(headers["x-amz-content-sha256"]);
  return {
    sha256: /^[0-9a-f]{64}$/.test(signed) ? signed : undefined,
    md5: headers["content-md5"] as string | undefined,
  };
}

function onlyNew({ headers }: IncomingMessage): boolean {
  return headers["if-none-match"] === "*";
}

function rangeOf(
  header: string | undefined,
  sizeBytes: number,
): { start: number; end: number } | undefined {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(header ?? "") ?? [];
  if (from === undefined) return undefined;
  const start = Number(from);
  if (start >= sizeBytes) throw new S3Refusal(416, "InvalidRange", "The object ends before that.");
  return { start, end: to ? Math.min(Number(to), sizeBytes - 1) : sizeBytes - 1 };
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent || request.socket.destroyed) {
    response.destroy();
    return;
  }
  const refusal =
    error instanceof S3Refusal ? error : new S3Refusal(500, "InternalError", String(error));
  response.writeHead(refusal.status, { "content-type": "application/xml", connection: "close" });
  response.end(request.method === "HEAD" ? undefined : refusal.xml);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function notKnown(): S3Refusal {
  return new S3Refusal(501, "NotImplemented", "This server can't do that.");
}

const [folder, port] = process.argv.slice(2);
const { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey } = process.env;
if (folder === undefined || accessKey === undefined || secretKey === undefined) {
  console.error("usage: small-s3.ts FOLDER [PORT], with an account in the environment");
  process.exit(2);
}
const served = new SmallS3(new ObjectFolder(folder), { accessKey, secretKey });
const server = createServer((request, response) => void served.answer(request, response));
server.listen(Number(port ?? 0), "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") console.log(`http://127.0.0.1:${address?.port}`);
});
process.once("SIGTERM", () => process.exit(0));
