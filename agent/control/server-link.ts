/**
 * The agent's only way to its server: each request signed, sent to the first address that answers, within limits of time
 * and size; and nothing believed that is not an answer of our server.
 */
import { type KeyObject, randomBytes } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http";
import type { Clock } from "../../platform/ports/clock.ts";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { agentProblemCodes, answerHeaders } from "../../protocol/control/agent-api.ts";
import { agentRefusal, refusalOf } from "../../protocol/control/agent-problem.ts";
import { type RequestSender, signRequest } from "../../protocol/control/request-signature.ts";
import { programVersion } from "../../protocol/program-version.ts";
import { type RawAnswer, ServerAddress } from "./server-address.ts";
import type { ServerAnswer, ServerCall, ServerCalls } from "./server-calls.ts";
import { textOf } from "./server-connection.ts";
import type { ServerTrust } from "./server-trust.ts";

/** Who signs. */
export interface LinkIdentity {
  /** Id of the agent, or the thumbprint of the key of a machine that has none yet. */
  readonly issuer: string;
  /** Private Ed25519 key. */
  readonly key: KeyObject;
}

/** Where the server is, and how it is known. */
export interface ServerPlace extends ServerTrust {
  /** In the order in which they are tried; may have a path. */
  readonly urls: readonly string[];
}

export interface ServerLinkOptions {
  readonly identity: LinkIdentity;
  readonly place: ServerPlace;
  /** What is signed along with each request; asked each time. */
  readonly sender?: () => RequestSender;
  readonly clock: Clock;
  /** Of the service: HTTPS_PROXY and its kin. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told the server's time, ms since 1970, with each answer of it. */
  readonly onServerTime?: (serverMs: number) => void;
}

/** A call with raw bytes for a body, or with JSON as ServerCall has it. */
export interface LinkCall extends ServerCall {
  /** In place of `body`; sent as `application/octet-stream`. */
  readonly bytes?: Uint8Array;
}

/** A clock that is wrong by less is right: networks and suspended machines add that much. */
const offsetMsMin = 60_000;
const answerMsMax = 60_000;
/** Servers hold requests for a minute or so; some may for five. */
const heldMsMax = 400_000;
const answerBytesMax = 8 * 1024 * 1024;
/** An address that failed is not the first choice for so long, ms. */
const avoidedMs = 600_000;

export class ServerLink implements ServerCalls {
  readonly #options: ServerLinkOptions;
  #place: ServerPlace;
  #addresses: readonly ServerAddress[];
  #offsetMs = 0;

  constructor(options: ServerLinkOptions) {
    this.#options = options;
    this.#place = options.place;
    this.#addresses = this.#open(options.place);
  }

  /** Server's clock minus this machine's, ms; 0 while they agree within a minute. */
  get clockOffsetMs(): number {
    return this.#offsetMs;
  }

  /** The server's time as this machine knows it, ms since 1970. */
  nowMs(): number {
    return this.#options.clock.now() + this.#offsetMs;
  }

  /** From now on the server is there: what a newer bundle says. Requests under way go on. */
  moveTo(place: ServerPlace): void {
    if (JSON.stringify(place) === JSON.stringify(this.#place)) return;
    const before = this.#addresses;
    this.#place = place;
    this.#addresses = this.#open(place);
    for (const address of before) address.close();
  }

  /** Ends connections that wait for another request. The link can be used on. */
  close(): void {
    for (const address of this.#addresses) address.close();
  }

  /**
   * Sends it, and again to the next address if there is no answer of our server. AGENT_REFUSED, LINK_FAILED,
   * LINK_UNTRUSTED, the signal's reason.
   */
  async call(call: LinkCall): Promise<ServerAnswer> {
    const offsetMs = this.#offsetMs;
    try {
      return await this.#callAnywhere(call);
    } catch (error) {
      // The refusal has told the time: once more with that.
      if (refusalOf(error) !== "clock-skew" || this.#offsetMs === offsetMs) throw error;
      return await this.#callAnywhere(call);
    }
  }

  async #callAnywhere(call: LinkCall): Promise<ServerAnswer> {
    let failure: unknown;
    for (const address of this.#inOrder())
      try {
        const answer = await this.#callAt(address, call);
        address.failedMs = undefined;
        return answer;
      } catch (error) {
        if (call.signal.aborted || !isLinkFailure(error)) throw error;
        address.failedMs = this.#options.clock.monotonic();
        // That something else answers tells more than that nothing does.
        if (!isBackstayError(failure, "LINK_UNTRUSTED")) failure = error;
      }
    throw failure;
  }

  /** Those that failed just now come last. */
  #inOrder(): readonly ServerAddress[] {
    const nowMs = this.#options.clock.monotonic();
    const isAvoided = ({ failedMs }: ServerAddress): boolean =>
      failedMs !== undefined && nowMs - failedMs < avoidedMs;
    return [
      ...this.#addresses.filter((address) => !isAvoided(address)),
      ...this.#addresses.filter(isAvoided).sort((a, b) => (a.failedMs ?? 0) - (b.failedMs ?? 0)),
    ];
  }

  async #callAt(address: ServerAddress, call: LinkCall): Promise<ServerAnswer> {
    const limit = AbortSignal.timeout(call.isHeld === true ? heldMsMax : answerMsMax);
    const signal = AbortSignal.any([call.signal, limit]);
    const body =
      call.bytes ?? Buffer.from(call.body === undefined ? "" : JSON.stringify(call.body));
    try {
      const answer = await address.exchange(
        { method: call.method, path: call.path, body, bytesMax: answerBytesMax, signal },
        () => this.#headers(call, body),
      );
      return this.#judged(address, answer);
    } catch (error) {
      call.signal.throwIfAborted();
      if (isBackstayError(error)) throw error;
      const problem = limit.aborted ? "it does not answer in time" : textOf(error);
      throw new BackstayError("LINK_FAILED", { server: address.host, problem }, error);
    }
  }

  /** Signed anew for each attempt: a number used twice would be refused. */
  #headers(call: LinkCall, body: Uint8Array): OutgoingHttpHeaders {
    const { identity, sender } = this.#options;
    const type = call.bytes === undefined ? "application/json" : "application/octet-stream";
    return {
      ...call.headers,
      "user-agent": `backstay/${programVersion}`,
      accept: "application/json",
      ...(body.length > 0 && { "content-type": type }),
      authorization: signRequest(
        {
          issuer: identity.issuer,
          method: call.method,
          path: call.path,
          body,
          timeMs: this.nowMs(),
          nonce: randomBytes(16).toString("base64url"),
          ...(sender !== undefined && { sender: sender() }),
        },
        identity.key,
      ),
    };
  }

  /** Our server's answer, or why it is none. */
  #judged(address: ServerAddress, answer: RawAnswer): ServerAnswer {
    const { status, header, bytes } = answer;
    const serverMs = numberIn(header(answerHeaders.time));
    const isJson = /^application\/(?:problem\+)?json\b/.test(header("content-type") ?? "");
    const body = isJson ? parsed(bytes) : undefined;
    const isGood = (status >= 200 && status < 300) || status === 304;
    const refusal = isGood ? undefined : refusalIn(answer, body);
    if (!Number.isSafeInteger(serverMs) || (!isGood && refusal === undefined)) {
      const problem = `it answered ${status}, not as our server does`;
      throw new BackstayError("LINK_FAILED", { server: address.host, problem });
    }
    this.#heard(serverMs);
    if (refusal !== undefined) throw refusal;
    return { status, header, body };
  }

  #heard(serverMs: number): void {
    const offsetMs = serverMs - this.#options.clock.now();
    this.#offsetMs = Math.abs(offsetMs) < offsetMsMin ? 0 : offsetMs;
    this.#options.onServerTime?.(serverMs);
  }

  #open(place: ServerPlace): readonly ServerAddress[] {
    const { environment } = this.#options;
    return place.urls.map(
      (url) => new ServerAddress({ url, trust: place, environment, nowMs: () => this.nowMs() }),
    );
  }
}

/** What a problem document of our server refuses; undefined if it is none. */
function refusalIn(answer: RawAnswer, body: unknown): BackstayError | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { code, detail } = body as Partial<Record<string, unknown>>;
  const problem = agentProblemCodes.find((known) => known === code);
  if (problem === undefined) return undefined;
  const refusal = agentRefusal(
    problem,
    typeof detail === "string" ? detail.slice(0, 500) : undefined,
  );
  const seconds = numberIn(answer.header("retry-after"));
  if (!(seconds >= 0)) return refusal;
  return new BackstayError("AGENT_REFUSED", { ...refusal.context, retryAfterSeconds: seconds });
}

/** NaN if there is none. */
function numberIn(text: string | undefined): number {
  return text === undefined || text === "" ? Number.NaN : Number(text);
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}

function isLinkFailure(error: unknown): boolean {
  return isBackstayError(error, "LINK_FAILED") || isBackstayError(error, "LINK_UNTRUSTED");
}
