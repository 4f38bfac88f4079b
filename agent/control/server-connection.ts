/** A connection to the server: directly or through a proxy, with TLS, to nobody but the server. */
import { request } from "node:http";
import { connect as connectPlainly, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectSecurely, createSecureContext, type SecureContext } from "node:tls";
import { proxyAuthorization } from "../../platform/proxy-choice.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { authoritiesOf, distrustOf, type ServerTrust } from "./server-trust.ts";

export interface ConnectionTarget extends ServerTrust {
  /** Of the server; only its host and port count. */
  readonly server: URL;
  readonly proxy: URL | undefined;
  /** The server's time as it is known, ms since 1970. */
  readonly nowMs: () => number;
}

const connectMsMax = 30_000;

/** Opens connections to one server. Parses the authorities once, at the first connection that needs them. */
export class ServerConnector {
  readonly #target: ConnectionTarget;
  #context: SecureContext | undefined;

  constructor(target: ConnectionTarget) {
    this.#target = target;
  }

  /** LINK_FAILED, or LINK_UNTRUSTED if it isn't the server that answers. Nothing was sent to it then. */
  async open(): Promise<Duplex> {
    const { server, proxy } = this.#target;
    const signal = AbortSignal.timeout(connectMsMax);
    try {
      const nearest = proxy ?? server;
      const first = await connectTcp(nearest, signal);
      if (server.protocol === "http:") return await this.#toProxy(first, proxy, signal);
      const way = await this.#throughProxy(first, proxy, signal);
      return await this.#secured(way, server, this.#target, signal);
    } catch (error) {
      throw failure(server, signal.aborted ? "it does not answer" : error, error);
    }
  }

  /** The way to a proxy, with TLS if it speaks that. */
  async #toProxy(way: Duplex, proxy: URL | undefined, signal: AbortSignal): Promise<Duplex> {
    if (proxy?.protocol !== "https:") return way;
    return await this.#secured(way, proxy, { pins: [] }, signal);
  }

  /** Asks the proxy, if there is one, for a way to the server. */
  async #throughProxy(first: Duplex, proxy: URL | undefined, signal: AbortSignal): Promise<Duplex> {
    if (proxy === undefined) return first;
    const { server } = this.#target;
    const way = await this.#toProxy(first, proxy, signal);
    const place = `${server.hostname}:${server.port || "443"}`;
    const authorization = proxyAuthorization(proxy);
    const headers = {
      host: place,
      ...(authorization !== undefined && { "proxy-authorization": authorization }),
    };
    return await new Promise((resolve, reject) => {
      const call = request({
        method: "CONNECT",
        path: place,
        headers,
        signal,
        createConnection: () => way,
      });
      call.once("error", reject);
      call.once("response", () => reject(new Error(`the proxy ${proxy.host} opens no way`)));
      call.once("connect", (answer, socket, rest) => {
        if (answer.statusCode === 200) {
          if (rest.length > 0) socket.unshift(rest);
          resolve(socket);
          return;
        }
        socket.destroy();
        const reason = answer.statusCode === 407 ? " (it wants a user and a password)" : "";
        reject(new Error(`the proxy ${proxy.host} answered ${answer.statusCode}${reason}`));
      });
      call.end();
    });
  }

  async #secured(
    way: Duplex,
    place: URL,
    trust: ServerTrust,
    signal: AbortSignal,
  ): Promise<Duplex> {
    const host = hostOf(place);
    if (trust.pins.length === 0)
      this.#context ??= createSecureContext({ ca: authoritiesOf(this.#target) });
    const socket = connectSecurely({
      socket: way,
      host,
      ...(isIP(host) === 0 && { servername: host }),
      ...(trust.pins.length === 0 && { secureContext: this.#context }),
      minVersion: "TLSv1.2",
      ALPNProtocols: ["http/1.1"],
      // It is judged below, before anything is sent.
      rejectUnauthorized: false,
    });
    socket.on("error", () => undefined);
    try {
      await eventOf(socket, "secureConnect", signal);
      const problem = distrustOf(socket, host, trust, this.#target.nowMs());
      if (problem === undefined) return socket;
      throw new BackstayError("LINK_UNTRUSTED", { server: place.host, problem });
    } catch (error) {
      socket.destroy();
      way.destroy();
      throw error;
    }
  }
}

async function connectTcp(place: URL, signal: AbortSignal): Promise<Duplex> {
  const host = hostOf(place);
  const isSecure = place.protocol === "https:";
  const port = Number(place.port || (isSecure ? 443 : 80));
  const socket: Socket = connectPlainly({ host, port, keepAlive: true, noDelay: true });
  // Who waits on it hears of it; in between nobody does.
  socket.on("error", () => undefined);
  try {
    await eventOf(socket, "connect", signal);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Waits for an event of a stream that may fail or end before. */
async function eventOf(stream: Duplex, name: string, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const settle = (act: () => void): void => {
      stream.off(name, done).off("error", failed).off("close", closed);
      signal.removeEventListener("abort", aborted);
      act();
    };
    const done = (): void => settle(resolve);
    const failed = (error: Error): void => settle(() => reject(error));
    const closed = (): void => settle(() => reject(new Error("it closed the connection")));
    const aborted = (): void => settle(() => reject(signal.reason as Error));
    stream.once(name, done).once("error", failed).once("close", closed);
    signal.addEventListener("abort", aborted, { once: true });
  });
}

/** Without the brackets of an IPv6 address. */
function hostOf({ hostname }: URL): string {
  return hostname.replaceAll(/^\[|\]$/g, "");
}

function failure(server: URL, reason: unknown, cause: unknown): BackstayError {
  if (cause instanceof BackstayError) return cause;
  return new BackstayError("LINK_FAILED", { server: server.host, problem: textOf(reason) }, cause);
}

/** What a failed connection says, in short. */
export function textOf(reason: unknown): string {
  if (!(reason instanceof Error)) return String(reason);
  const { code } = reason as NodeJS.ErrnoException;
  return code === undefined ? reason.message : (words[code] ?? code);
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "it broke the connection",
  EPIPE: "it broke the connection",
  ETIMEDOUT: "it does not answer",
  ENOTFOUND: "the name is not known",
  EAI_AGAIN: "names can't be resolved now",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no network",
};
