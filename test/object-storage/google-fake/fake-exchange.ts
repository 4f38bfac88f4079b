/** One request to the fake and its answer, with the failure that befalls it. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { ApiError, invalid } from "./api-error.ts";
import type { Preconditions } from "./fake-bucket.ts";
import type { Failure } from "./fake-failures.ts";
import { withFields } from "./fake-listing.ts";

/** What has come of a body that may have been cut. */
export interface ArrivedBody {
  readonly bytes: Uint8Array;
  /** False: the connection broke, or a failure ended it. */
  readonly isWhole: boolean;
}

export class FakeExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly #socket: Socket;
  failure: Failure | undefined;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
    this.#socket = request.socket;
    this.url = new URL(request.url ?? "/", "http://fake.invalid");
  }

  get query(): URLSearchParams {
    return this.url.searchParams;
  }

  header(name: string): string | undefined {
    return [this.request.headers[name]].flat()[0];
  }

  get preconditions(): Preconditions {
    return {
      generationMatch: this.#number("ifGenerationMatch"),
      generationNotMatch: this.#number("ifGenerationNotMatch"),
      metagenerationMatch: this.#number("ifMetagenerationMatch"),
      metagenerationNotMatch: this.#number("ifMetagenerationNotMatch"),
    };
  }

  get generation(): number | undefined {
    return this.#number("generation");
  }

  /** Reads the body as far as it comes, and as far as the failure lets it. Never rejects. */
  async body(): Promise<ArrivedBody> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    const { failure } = this;
    const endsAt =
      failure !== undefined && (failure.kind === "return" || failure.kind === "broken-stream")
        ? failure.afterBytes
        : Number.POSITIVE_INFINITY;
    let isStalled = failure?.kind === "stall";
    try {
      // Who stops reading must still be able to answer.
      const arriving: AsyncIterable<Uint8Array> = this.request.iterator({ destroyOnReturn: false });
      for await (const part of arriving) {
        parts.push(part);
        bytes += part.length;
        if (bytes >= endsAt) break;
        if (isStalled && failure !== undefined && bytes >= failure.afterBytes) {
          isStalled = false;
          await this.#stall(failure.seconds);
        }
      }
    } catch {
      return { bytes: Buffer.concat(parts), isWhole: false };
    }
    const all = Buffer.concat(parts);
    if (bytes >= endsAt) return { bytes: all.subarray(0, endsAt), isWhole: false };
    if (failure?.kind === "change-upload" && all.length > 0) all[all.length >> 1] ^= 1;
    return { bytes: all, isWhole: this.request.complete };
  }

  /** The JSON document of the body; an empty one if there is none. */
  async document(): Promise<Record<string, unknown>> {
    const { bytes, isWhole } = await this.body();
    if (!isWhole) throw new CutOff();
    return documentIn(bytes);
  }

  /** Answers with a document, of which the client may want some fields only. */
  answer(status: number, document: unknown, headers: Readonly<Record<string, string>> = {}): void {
    const text = JSON.stringify(withFields(document, this.query.get("fields")));
    this.send(status, Buffer.from(text), {
      "content-type": "application/json; charset=UTF-8",
      ...headers,
    });
  }

  /** Answers, unless the failure is that the answer is lost. */
  send(status: number, body: Uint8Array, headers: Readonly<Record<string, string>> = {}): void {
    if (this.failure?.kind === "lose-answer") {
      this.cut();
      return;
    }
    this.response.writeHead(status, { "content-length": String(body.length), ...headers });
    this.response.end(this.request.method === "HEAD" ? undefined : body);
  }

  /** Sends a download, which the failure may cut, change or stop. */
  async download(
    status: number,
    content: Uint8Array,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { failure, response } = this;
    response.writeHead(status, { ...headers, "content-length": String(content.length) });
    if (failure?.kind === "corrupted") {
      const changed = Uint8Array.from(content);
      if (changed.length > 0) changed[changed.length >> 1] ^= 1;
      response.end(changed);
    } else if (failure?.kind === "broken-stream") {
      const sent = Math.min(failure.afterBytes, Math.max(0, content.length - 1));
      response.write(content.subarray(0, sent), () => this.cut());
    } else if (failure?.kind === "stall") {
      response.write(content.subarray(0, failure.afterBytes));
      await this.#stall(failure.seconds);
      response.end(content.subarray(failure.afterBytes));
    } else response.end(content);
  }

  /** True if there is nobody any more who would hear an answer. */
  get isCut(): boolean {
    return this.#socket.destroyed;
  }

  /** Breaks the connection. */
  cut(): void {
    this.#socket.destroy();
  }

  async #stall(seconds: number): Promise<void> {
    const closed = once(this.#socket, "close");
    const waits = Number.isFinite(seconds) ? [closed, delay(seconds * 1000)] : [closed];
    await Promise.race(waits);
  }

  #number(name: string): number | undefined {
    const text = this.query.get(name);
    if (text === null) return undefined;
    if (!/^\d+$/.test(text)) throw invalid(`Invalid ${name}.`);
    return Number(text);
  }
}

/** The body did not come whole: there is nobody to answer. */
export class CutOff extends Error {}

/** A JSON document, or 400. */
export function documentIn(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length === 0) return {};
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8")) as Record<string, unknown>;
  } catch {
    throw new ApiError(400, "parseError", "Parse Error");
  }
}
