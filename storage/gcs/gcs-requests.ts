/** Requests to Google's JSON API: with the token, which is renewed once when it is refused, and counted. */
import { proxyFor } from "../../platform/proxy-choice.ts";
import { BackstayError, type ErrorContext } from "../../protocol/backstay-error.ts";
import { redactor } from "../../protocol/redaction.ts";
import type { AccountSource } from "../account-source.ts";
import { countedAnswer } from "../http/counted-answer.ts";
import {
  type HttpAnswer,
  type HttpPlace,
  type HttpRequest,
  HttpTransport,
} from "../http/http-transport.ts";
import type { RequestCounts, RequestKind } from "../request-counts.ts";
import { GcsAccount } from "./gcs-account.ts";
import { type GcsEnvironment, gcsEndpoint, gcsProof } from "./gcs-address.ts";
import { refusalError } from "./gcs-errors.ts";

export interface GcsRequest {
  readonly kind: RequestKind;
  readonly method: HttpRequest["method"];
  /** Begins with a slash; with the query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Uint8Array[];
  /** Facts for errors. */
  readonly context: ErrorContext;
}

export interface GcsRequestsOptions {
  readonly environment: GcsEnvironment;
  /** For errors. */
  readonly location: string;
  readonly accounts?: AccountSource | undefined;
  readonly counts?: RequestCounts | undefined;
  /** As that of `HttpTransport`. */
  readonly silenceMs?: number | undefined;
}

const documentBytesMax = 32 * 1024 * 1024;

export class GcsRequests {
  readonly place: HttpPlace;
  readonly #transport: HttpTransport;
  readonly #account: GcsAccount;
  readonly #counts: RequestCounts | undefined;
  #token: string | undefined;

  /** USAGE if a setting of the environment can't be used. */
  constructor(options: GcsRequestsOptions) {
    const { environment, location, silenceMs } = options;
    const { origin } = gcsEndpoint(environment);
    const authorities = environment["RESTIC_CACERT"] ?? "";
    const proxy = proxyFor(new URL(origin), environment);
    this.place = {
      origin,
      location,
      pins: [],
      authoritiesFile: authorities === "" ? undefined : authorities,
      proxy,
    };
    this.#transport = new HttpTransport(this.place, {
      silenceMs,
      refusalError: (refusal, context) =>
        refusalError(refusal, context, redactor([this.#token ?? "", proxy?.password ?? ""])),
    });
    this.#account = new GcsAccount(gcsProof(environment), environment, location, options.accounts);
    this.#counts = options.counts;
  }

  /**
   * Sends a request and gives its answer to `use`, whatever its status but 401 (STORE_DENIED when a renewed token is
   * refused too). Rejects as `HttpTransport.exchange` does.
   */
  async exchange<T>(
    request: GcsRequest,
    signal: AbortSignal,
    use: (answer: HttpAnswer) => Promise<T>,
  ): Promise<T> {
    const answer = await this.open(request, signal);
    try {
      return await use(answer);
    } catch (error) {
      throw this.#transport.failure(error, request, signal);
    } finally {
      await answer.end();
    }
  }

  /** As `exchange`; the caller gives what reading fails with to `failure`, and ends the answer. */
  async open(request: GcsRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const first = await this.#account.token(signal);
    const answer = await this.#send(request, first, signal);
    if (answer.status !== 401) return answer;
    const renewed = await this.#account.token(signal, first);
    if (renewed === first) throw await ended(answer);
    await answer.end();
    const second = await this.#send(request, renewed, signal);
    if (second.status === 401) throw await ended(second);
    return second;
  }

  /** What to throw for an error of reading the answer. */
  failure(error: unknown, request: GcsRequest, signal: AbortSignal): unknown {
    return this.#transport.failure(error, request, signal);
  }

  /** The JSON document of an answer. STORE_UNAVAILABLE if it is none. */
  async document(answer: HttpAnswer): Promise<Readonly<Record<string, unknown>>> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of answer.body) {
      bytes += part.length;
      if (bytes > documentBytesMax) throw unreadable("its answer has no end");
      parts.push(part);
    }
    try {
      const document: unknown = JSON.parse(Buffer.concat(parts).toString("utf8"));
      if (typeof document === "object" && document !== null)
        return document as Record<string, unknown>;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw unreadable("its answer is no document");
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #send(
    request: GcsRequest,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    this.#token = token;
    const { kind, body } = request;
    const sent: HttpRequest = {
      ...request,
      headers: {
        ...request.headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    };
    try {
      signal.throwIfAborted();
      this.#counts?.request(
        kind,
        body?.reduce((sum, piece) => sum + piece.length, 0),
      );
      return countedAnswer(await this.#transport.open(sent, signal), this.#counts);
    } catch (error) {
      throw this.#transport.failure(error, sent, signal);
    }
  }
}

async function ended(answer: HttpAnswer): Promise<BackstayError> {
  try {
    return await answer.refusal();
  } finally {
    await answer.end();
  }
}

function unreadable(problem: string): BackstayError {
  return new BackstayError("STORE_UNAVAILABLE", { problem });
}
