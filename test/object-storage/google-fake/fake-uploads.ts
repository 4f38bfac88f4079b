/** How content comes into the fake: whole with its description (multipart/related), whole without, or in parts (resumable). */
import { randomUUID } from "node:crypto";
import { ApiError, invalid } from "./api-error.ts";
import type { FakeBucket, ObjectSettings, Preconditions } from "./fake-bucket.ts";
import { CutOff, documentIn, type FakeExchange } from "./fake-exchange.ts";
import { objectDocument } from "./fake-listing.ts";

const unitBytes = 256 * 1024;

type AssertMay = (name: string, isLocked: boolean) => void;

interface Session {
  readonly bucket: FakeBucket;
  readonly name: string;
  readonly settings: ObjectSettings;
  readonly conditions: Preconditions;
  parts: Uint8Array[];
  bytes: number;
  /** Of the object, when all has come. */
  stored: Record<string, unknown> | undefined;
  isGivenUp: boolean;
}

export class FakeUploads {
  readonly #sessions = new Map<string, Session>();
  readonly #dead = new Set<string>();

  /** How many uploads in parts are open: neither finished nor given up. */
  get open(): number {
    return [...this.#sessions.values()].filter(
      ({ stored, isGivenUp }) => stored === undefined && !isGivenUp,
    ).length;
  }

  /** Bytes of all parts that came, also of those that came again. */
  arrivedBytes = 0;

  /** Forgets all uploads in parts, as Google does after a week: they answer 410. */
  forget(): void {
    for (const id of this.#sessions.keys()) this.#dead.add(id);
    this.#sessions.clear();
  }

  /** POST to the uploads of a bucket. `assertMay` throws if the account may not make that object, or lock it. */
  async insert(exchange: FakeExchange, bucket: FakeBucket, assertMay: AssertMay): Promise<void> {
    const type = exchange.query.get("uploadType");
    if (type === "resumable") return await this.#begin(exchange, bucket, assertMay);
    const { bytes, isWhole } = await exchange.body();
    if (!isWhole) failedUpload(exchange);
    const { described, content } =
      type === "multipart"
        ? relatedParts(bytes, exchange.header("content-type") ?? "")
        : { described: {}, content: bytes };
    const name = nameOf(exchange, described);
    assertMay(name, described.retention !== undefined);
    const object = bucket.insert(name, content, described, exchange.preconditions);
    exchange.answer(200, objectDocument(bucket, object));
  }

  /** PUT or DELETE to an upload in parts. */
  async resume(exchange: FakeExchange, id: string): Promise<void> {
    if (this.#dead.has(id)) throw new ApiError(410, "gone", "The upload session is gone.");
    const session = this.#sessions.get(id);
    if (session === undefined) throw new ApiError(404, "notFound", "Unknown upload session.");
    if (exchange.request.method === "DELETE") {
      session.isGivenUp = true;
      session.parts = [];
      return exchange.send(499, Buffer.alloc(0));
    }
    if (session.isGivenUp) throw new ApiError(499, "cancelled", "The upload was cancelled.");
    const range = rangeOf(exchange);
    const { bytes, isWhole } = await exchange.body();
    if (session.stored !== undefined) return exchange.answer(200, session.stored);
    if (range.first !== undefined) this.#take(session, range.first, bytes, isWhole);
    if (!isWhole) failedUpload(exchange);
    const isPart = range.first !== undefined && session.bytes !== range.total;
    if (isPart && bytes.length % unitBytes !== 0)
      throw invalid("Parts but the last have to be multiples of 256 KiB.");
    if (range.total === undefined || session.bytes < range.total)
      return exchange.send(308, Buffer.alloc(0), arrivedHeader(session));
    this.#finish(exchange, session);
  }

  async #begin(exchange: FakeExchange, bucket: FakeBucket, assertMay: AssertMay): Promise<void> {
    const described = (await exchange.document()) as ObjectSettings & { name?: string };
    const name = nameOf(exchange, described);
    assertMay(name, described.retention !== undefined);
    bucket.assertConditions(name, exchange.preconditions);
    const id = randomUUID();
    this.#sessions.set(id, {
      bucket,
      name,
      settings: described,
      conditions: exchange.preconditions,
      parts: [],
      bytes: 0,
      stored: undefined,
      isGivenUp: false,
    });
    const { host = "" } = exchange.request.headers;
    const query = new URLSearchParams(exchange.query);
    query.set("upload_id", id);
    const place = `http://${host}/upload/storage/v1/b/${bucket.name}/o?${query.toString()}`;
    exchange.send(200, Buffer.alloc(0), { location: place });
  }

  /** Keeps what has come: of a part that was cut whole units only. */
  #take(session: Session, first: number, bytes: Uint8Array, isWhole: boolean): void {
    if (first > session.bytes)
      throw new ApiError(
        503,
        "backendError",
        `Invalid request. According to the Content-Range header, the upload offset is ${first} byte(s), which exceeds already uploaded size of ${session.bytes} byte(s).`,
      );
    this.arrivedBytes += bytes.length;
    const fresh = bytes.subarray(session.bytes - first);
    const kept = isWhole ? fresh.length : fresh.length - (fresh.length % unitBytes);
    if (kept <= 0) return;
    session.parts.push(fresh.subarray(0, kept));
    session.bytes += kept;
  }

  #finish(exchange: FakeExchange, session: Session): void {
    const { bucket, name, conditions } = session;
    const [, crc] = /crc32c=([^,\s]+)/.exec(exchange.header("x-goog-hash") ?? "") ?? [];
    const settings = crc === undefined ? session.settings : { ...session.settings, crc32c: crc };
    try {
      const object = bucket.insert(name, Buffer.concat(session.parts), settings, conditions);
      session.stored = objectDocument(bucket, object);
    } catch (error) {
      session.isGivenUp = true;
      throw error;
    } finally {
      session.parts = [];
    }
    exchange.answer(200, session.stored);
  }
}

function arrivedHeader({ bytes }: Session): Record<string, string> {
  return bytes === 0 ? {} : { range: `bytes=0-${bytes - 1}` };
}

/** An upload that did not come whole: the failure's status, or no answer. */
function failedUpload(exchange: FakeExchange): never {
  const { failure } = exchange;
  if (failure?.kind === "return")
    throw new ApiError(failure.status, "backendError", "Planned failure.");
  throw new CutOff();
}

function nameOf(exchange: FakeExchange, described: { readonly name?: string }): string {
  const name = exchange.query.get("name") ?? described.name;
  if (name === undefined || name === "") throw invalid("Required parameter: name");
  return name;
}

/** `bytes a-b/N`, `bytes a-b/*`, or a question; a body without a range is all of it. */
function rangeOf(exchange: FakeExchange): {
  readonly first: number | undefined;
  readonly total: number | undefined;
} {
  const text = exchange.header("content-range");
  if (text === undefined)
    return { first: 0, total: Number(exchange.header("content-length") ?? Number.NaN) };
  const [, range, first, total] = /^bytes (\*|(\d+)-\d+)\/(\d+|\*)$/.exec(text) ?? [];
  if (range === undefined) throw invalid(`Invalid Content-Range: ${text}`);
  return {
    first: first === undefined ? undefined : Number(first),
    total: total === "*" ? undefined : Number(total),
  };
}

/** The description and the content of a body of multipart/related. */
function relatedParts(
  bytes: Uint8Array,
  type: string,
): { readonly described: ObjectSettings & { name?: string }; readonly content: Uint8Array } {
  const [, quoted, plain] = /boundary=(?:"([^"]+)"|([^;\s]+))/.exec(type) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw invalid("Missing boundary.");
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: Buffer[] = [];
  let at = body.indexOf(`--${boundary}`);
  while (at >= 0 && parts.length < 2) {
    const start = body.indexOf("\r\n\r\n", at) + 4;
    const end = body.indexOf(`\r\n--${boundary}`, start - 2);
    if (start < 4 || end < 0) throw invalid("Malformed multipart body.");
    parts.push(body.subarray(start, Math.max(start, end)));
    at = end + 2;
  }
  if (parts.length < 2) throw invalid("Missing end boundary in multipart body.");
  return { described: documentIn(parts[0]), content: parts[1] };
}
