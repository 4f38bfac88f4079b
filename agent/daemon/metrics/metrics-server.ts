/** Serves metrics on an address of this machine itself: everything else about the daemon is on its local API alone. */
import { createServer, type Server } from "node:http";
import { isIP } from "node:net";

export class MetricsServer {
  readonly #text: () => string | Promise<string>;
  #server: Server | undefined;

  constructor(text: () => string | Promise<string>) {
    this.#text = text;
  }

  /** Listens at `host:port` of the loopback; resolves with the port. Rejects with the system's error. */
  async listen(address: string): Promise<number> {
    const at = address.lastIndexOf(":");
    const host = address.slice(0, at).replaceAll(/[[\]]/g, "");
    const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 8 * 1024 });
    server.maxConnections = 20;
    server.on("request", (request, response) => {
      // A page of a browser may be made to ask under a name that leads here.
      const named = (request.headers.host ?? "").replace(/:\d+$/, "").replaceAll(/[[\]]/g, "");
      const isOurs = named === "localhost" || isIP(named) !== 0;
      if (request.method !== "GET" || request.url !== "/metrics" || !isOurs) {
        response.writeHead(isOurs ? 404 : 403).end();
        return;
      }
      void this.#answer().then(({ status, text }) =>
        response
          .writeHead(status, { "content-type": "text/plain; version=0.0.4; charset=utf-8" })
          .end(text),
      );
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port: Number(address.slice(at + 1)) }, resolve);
    });
    server.on("error", () => undefined);
    this.#server = server;
    const bound = server.address();
    return typeof bound === "object" && bound !== null ? bound.port : 0;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  async #answer(): Promise<{ status: number; text: string }> {
    try {
      return { status: 200, text: await this.#text() };
    } catch {
      return { status: 500, text: "" };
    }
  }
}
