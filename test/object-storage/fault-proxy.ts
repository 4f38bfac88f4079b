/**
 * A proxy on loopback in front of a real HTTP server, which delays, cuts, stalls, falsifies and refuses by a plan and notes
 * what it really did. It stands in the place of the server: the client is given its address, and each header passes as it is.
 */
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request as makeRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, FaultPlan, PlannedRequest, Way } from "./fault-plan.ts";

/** A fault that has had its effect. */
export interface StruckFault {
  readonly request: PlannedRequest;
  readonly fault: Fault;
}

/** A request that has passed, or was struck. */
export interface SeenRequest extends PlannedRequest {
  /** Of the answer of the server behind; 0 if none came. */
  status: number;
  /** Of the answer's body, as far as it passed. */
  bytesDown: number;
}

/** Thrown where a fault breaks an exchange off. */
class BrokenOff extends Error {}

const perHop = new Set(["connection", "keep-alive", "expect", "proxy-connection"]);

export class FaultProxy {
  /** What had an effect since the plan was given. */
  readonly struck: StruckFault[] = [];
  /** All requests since the plan was given, in the order of their coming. */
  readonly seen: SeenRequest[] = [];
  readonly #upstream: URL;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #plan: FaultPlan = () => undefined;

  private constructor(upstream: string) {
    this.#upstream = new URL(upstream);
    this.#server = createServer((incoming, answer) => void this.#serve(incoming, answer));
    this.#server.requestTimeout = 0;
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      socket.on("error", () => undefined);
    });
  }

  /** `upstream`: `http://host:port` of the server behind. Passes everything until it is given a plan. */
  static async start(upstream: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(upstream);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** `http://127.0.0.1:port`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on this plan counts; what was noted before is forgotten. */
  follow(plan: FaultPlan): void {
    this.#plan = plan;
    this.struck.length = 0;
    this.seen.length = 0;
  }

  /** From now on everything passes; what was noted stays. */
  calm(): void {
    this.#plan = () => undefined;
  }

  /** Throws if so many faults have not struck: the test did not test what it meant to. */
  assertStruck(timesMin = 1): void {
    if (this.struck.length >= timesMin) return;
    const seen = this.seen.map(({ method, target }) => `${method} ${target}`).join(", ");
    throw new Error(`${this.struck.length} faults struck, not ${timesMin}; seen: ${seen}`);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const request: SeenRequest = {
      index: this.seen.length,
      method: incoming.method ?? "",
      target: incoming.url ?? "",
      bytesUp: Number(incoming.headers["content-length"] ?? 0),
      status: 0,
      bytesDown: 0,
    };
    this.seen.push(request);
    const fault = this.#plan(request);
    const exchange = new Exchange(incoming, answer, request, fault, () => {
      if (fault !== undefined) this.struck.push({ request, fault });
    });
    try {
      await exchange.run(this.#upstream);
    } catch {
      // Broken off by a fault, by the client, or by the server behind: the other side sees a reset.
      exchange.reset();
    }
  }
}

/** One request and its answer. */
class Exchange {
  readonly #incoming: IncomingMessage;
  readonly #answer: ServerResponse;
  readonly #request: SeenRequest;
  readonly #fault: Fault | undefined;
  readonly #gone = new AbortController();
  readonly #onStruck: () => void;
  #isStruck = false;
  #outgoing: ClientRequest | undefined;

  constructor(
    incoming: IncomingMessage,
    answer: ServerResponse,
    request: SeenRequest,
    fault: Fault | undefined,
    onStruck: () => void,
  ) {
    this.#incoming = incoming;
    this.#answer = answer;
    this.#request = request;
    this.#fault = fault;
    this.#onStruck = onStruck;
    incoming.on("error", () => undefined);
    answer.on("error", () => undefined);
    answer.once("close", () => this.#gone.abort());
  }

  async run(upstream: URL): Promise<void> {
    const fault = this.#fault;
    if (fault?.kind === "refuse") return this.#refuse(fault);
    if (fault?.kind === "delay") {
      this.#strike();
      await sleep(fault.delayMs, undefined, { signal: this.#gone.signal });
    }
    const outgoing = makeRequest({
      host: upstream.hostname,
      port: upstream.port,
      method: this.#request.method,
      path: this.#request.target,
      headers: endToEnd(this.#incoming.rawHeaders),
      agent: false,
    });
    this.#outgoing = outgoing;
    this.#gone.signal.addEventListener("abort", () => outgoing.destroy(), { once: true });
    const response = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once("response", resolve);
      outgoing.on("error", reject);
      outgoing.once("close", () => reject(new BrokenOff()));
    });
    outgoing.flushHeaders();
    const up = this.#carry("up", kept(this.#incoming), outgoing).then(() => outgoing.end());
    // A server may answer, and close, before it has read everything: nobody needs the rest. What a fault breaks ends the exchange.
    const broken = up.then(
      () => new Promise<never>(() => undefined),
      (error: unknown) => {
        if (error instanceof BrokenOff) throw error;
        this.#incoming.resume();
        return new Promise<never>(() => undefined);
      },
    );
    await Promise.race([response.then((received) => this.#passDown(received)), broken]);
  }

  /** The client sees a reset; the server behind too, unless it is done. */
  reset(): void {
    this.#outgoing?.destroy();
    this.#incoming.socket.resetAndDestroy();
  }

  #refuse({ status, retryAfterSeconds, body }: Fault & { readonly kind: "refuse" }): void {
    this.#strike();
    this.#request.status = status;
    const text = this.#request.method === "HEAD" ? "" : (body ?? "");
    this.#answer.writeHead(status, {
      "content-length": Buffer.byteLength(text),
      ...(text.startsWith("<") && { "content-type": "application/xml" }),
      ...(retryAfterSeconds !== undefined && { "retry-after": String(retryAfterSeconds) }),
    });
    this.#answer.end(text);
  }

  async #passDown(response: IncomingMessage): Promise<void> {
    const fault = this.#fault;
    this.#request.status = response.statusCode ?? 0;
    if (fault?.kind === "swallow") {
      response.resume();
      await new Promise((resolve) => response.once("close", resolve));
      this.#strike();
      throw new BrokenOff();
    }
    const headers = this.#headersDown(response);
    this.#answer.writeHead(response.statusCode ?? 502, response.statusMessage ?? "", headers);
    await this.#carry("down", this.#shortened(response), this.#answer);
    // A body that ended before its length did.
    if (!response.complete && !this.#isStruck) throw new BrokenOff();
    this.#answer.end();
    if (fault?.kind === "lie" && this.#isStruck) this.#incoming.socket.destroySoon();
  }

  #headersDown(response: IncomingMessage): string[] {
    const headers = endToEnd(response.rawHeaders);
    const at = headers.findIndex((name, i) => i % 2 === 0 && /^content-length$/i.test(name));
    const fault = this.#fault;
    if (at < 0 || this.#request.method === "HEAD") return headers;
    const length = Number(headers[at + 1]);
    if (fault?.kind === "lie" && length + fault.deltaBytes >= 0) {
      this.#strike();
      headers[at + 1] = String(length + fault.deltaBytes);
    }
    if (fault?.kind === "shorten" && length > fault.toBytes) {
      this.#strike();
      headers[at + 1] = String(fault.toBytes);
    }
    return headers;
  }

  async *#shortened(body: IncomingMessage): AsyncIterable<Buffer> {
    let left =
      this.#fault?.kind === "shorten" && this.#isStruck
        ? this.#fault.toBytes
        : Number.POSITIVE_INFINITY;
    for await (const piece of kept(body)) {
      if (left > 0) yield piece.subarray(0, left);
      left -= piece.length;
    }
  }

  async #carry(
    way: Way,
    source: AsyncIterable<Buffer>,
    sink: ClientRequest | ServerResponse,
  ): Promise<void> {
    const fault = this.#fault !== undefined && "way" in this.#fault ? this.#fault : undefined;
    const mine = fault?.way === way ? fault : undefined;
    let at = 0;
    await this.#break(mine, at);
    for await (const whole of source) {
      for (const piece of piecesOf(whole, at, mine)) {
        if (mine?.kind === "slow") await this.#slowly(piece.length, mine.bytesPerSecond);
        if (mine?.kind === "flip" && at === mine.atByte) {
          this.#strike();
          piece[0] ^= 0xff;
        }
        await this.#write(sink, piece);
        at += piece.length;
        if (way === "down") this.#request.bytesDown = at;
        await this.#break(mine, at);
      }
    }
  }

  async #slowly(bytes: number, bytesPerSecond: number): Promise<void> {
    this.#strike();
    await sleep((bytes / bytesPerSecond) * 1000, undefined, { signal: this.#gone.signal });
  }

  /** Cuts or stalls, if this is the place. */
  async #break(fault: Fault | undefined, at: number): Promise<void> {
    if ((fault?.kind !== "cut" && fault?.kind !== "stall") || fault.atByte !== at) return;
    this.#strike();
    const { signal } = this.#gone;
    if (fault.kind === "stall" && !signal.aborted)
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    throw new BrokenOff();
  }

  async #write(sink: ClientRequest | ServerResponse, piece: Buffer): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const closed = (): void => reject(new Error("closed"));
      sink.once("close", closed);
      sink.write(piece, (error) => {
        sink.removeListener("close", closed);
        if (error === null || error === undefined) resolve();
        else reject(error);
      });
    });
  }

  #strike(): void {
    if (this.#isStruck) return;
    this.#isStruck = true;
    this.#onStruck();
  }
}

/** Not closed in order by who stops reading: it is to be reset. */
function kept(body: IncomingMessage): AsyncIterable<Buffer> {
  return body.iterator({ destroyOnReturn: false });
}

/** The piece in two where a fault has its place in it; a byte that is turned begins one. */
function piecesOf(whole: Buffer, at: number, fault: Fault | undefined): Buffer[] {
  const place = fault !== undefined && "atByte" in fault ? fault.atByte - at : 0;
  if (place <= 0 || place >= whole.length) return [whole];
  return [whole.subarray(0, place), whole.subarray(place)];
}

/** Without the headers that concern a connection only. */
function endToEnd(raw: readonly string[]): string[] {
  const headers: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const [name = "", value = ""] = raw.slice(i, i + 2);
    if (!perHop.has(name.toLowerCase())) headers.push(name, value);
  }
  return headers;
}
