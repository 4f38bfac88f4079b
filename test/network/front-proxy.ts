/** A proxy in front of a server: ends TLS with a certificate of its own, takes a path away, and says who the client is. */
import { createServer, request, type Server } from "node:https";
import type { AddressInfo } from "node:net";

export interface FrontProxyOptions {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  /** Taken from the front of each path; what is elsewhere gets 404. */
  readonly prefix: string;
  /** What it says the client's address is. */
  readonly client: string;
}

export class FrontProxy {
  /** The server behind it, `https://…`; to be set before the first request. */
  upstream = "";
  readonly #server: Server;
  readonly #prefix: string;

  private constructor(server: Server, prefix: string) {
    this.#server = server;
    this.#prefix = prefix;
  }

  static async start({ key, cert, prefix, client }: FrontProxyOptions): Promise<FrontProxy> {
    const server = createServer({ key, cert });
    const proxy = new FrontProxy(server, prefix);
    server.on("request", (incoming, answer) => {
      const path = incoming.url ?? "";
      if (!path.startsWith(`${prefix}/`)) {
        answer.writeHead(404).end();
        return;
      }
      const outgoing = request(`${proxy.upstream}${path.slice(prefix.length)}`, {
        method: incoming.method,
        headers: { ...incoming.headers, host: "inside.example", "x-forwarded-for": client },
        rejectUnauthorized: false,
        agent: false,
      });
      outgoing.on("response", (given) => {
        answer.writeHead(given.statusCode ?? 502, given.headers);
        given.pipe(answer);
      });
      outgoing.on("error", () => answer.writeHead(502).end());
      incoming.pipe(outgoing);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** How machines reach it, with the path. */
  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.#prefix}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
