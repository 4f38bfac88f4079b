/**
 * A forward proxy for tests: tunnels (CONNECT) and plain requests (absolute addresses), with an account if wanted, and a
 * list of what went through it. As a program, which prints that list: `node small-proxy.ts HOST PORT [USER:PASSWORD]`.
 */
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { pathToFileURL } from "node:url";

export interface SmallProxyOptions {
  readonly host?: string;
  /** 0, the default: any that is free. */
  readonly port?: number;
  /** `user:password`, asked of everybody. */
  readonly account?: string;
  /** Where tunnels to a host really lead; unless given, or for undefined, to that host. */
  readonly resolve?: (host: string, port: number) => { host: string; port: number } | undefined;
  /** Told of each request. */
  readonly onRequest?: (request: ProxiedRequest) => void;
}

/** One request that the proxy was asked for. */
export interface ProxiedRequest {
  /** `CONNECT host:port`, or the method and the address. */
  readonly text: string;
  readonly isRefused: boolean;
}

export class SmallProxy {
  readonly requests: ProxiedRequest[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #account: string | undefined;
  readonly #onRequest: ((request: ProxiedRequest) => void) | undefined;
  readonly #resolve: SmallProxyOptions["resolve"];

  private constructor({ account, onRequest, resolve }: SmallProxyOptions) {
    this.#account = account;
    this.#onRequest = onRequest;
    this.#resolve = resolve;
    this.#server = createServer((incoming, answer) => this.#forward(incoming, answer));
    this.#server.on("connect", (incoming: IncomingMessage, client: Socket, head: Buffer) =>
      this.#tunnel(incoming, client, head),
    );
    this.#server.on("connection", (socket: Socket) => this.#hold(socket));
  }

  static async start(options: SmallProxyOptions = {}): Promise<SmallProxy> {
    const proxy = new SmallProxy(options);
    const { host = "127.0.0.1", port = 0 } = options;
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(port, host, resolve);
    });
    return proxy;
  }

  /** What `HTTPS_PROXY` takes, without an account. */
  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address}:${port}`;
  }

  /** Ends every tunnel too. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  }

  /** Notes the request; false if its account is missing or wrong. */
  #admits(incoming: IncomingMessage): boolean {
    const given = incoming.headers["proxy-authorization"];
    const wanted = this.#account;
    const isRefused =
      wanted !== undefined && given !== `Basic ${Buffer.from(wanted).toString("base64")}`;
    const request = { text: `${incoming.method} ${incoming.url}`, isRefused };
    this.requests.push(request);
    this.#onRequest?.(request);
    return !isRefused;
  }

  #tunnel(incoming: IncomingMessage, client: Socket, head: Buffer): void {
    if (!this.#admits(incoming)) {
      client.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="small"\r\ncontent-length: 0\r\n\r\n',
      );
      return;
    }
    const { hostname, port } = new URL(`http://${incoming.url}`);
    const named = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) };
    const target = connect(this.#resolve?.(named.host, named.port) ?? named);
    this.#hold(target);
    let isOpen = false;
    target.once("connect", () => {
      isOpen = true;
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      target.write(head);
      target.pipe(client);
      client.pipe(target);
    });
    target.once("close", () => {
      if (isOpen) client.destroy();
      else client.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    });
    client.once("close", () => target.destroy());
  }

  #forward(incoming: IncomingMessage, answer: ServerResponse): void {
    if (!this.#admits(incoming)) {
      answer.writeHead(407, { "proxy-authenticate": 'Basic realm="small"' }).end();
      return;
    }
    const {
      "proxy-authorization": _account,
      "proxy-connection": _kept,
      ...headers
    } = incoming.headers;
    const outgoing = request(
      incoming.url ?? "",
      { method: incoming.method, headers },
      (incomingAnswer) => {
        answer.writeHead(incomingAnswer.statusCode ?? 502, incomingAnswer.headers);
        incomingAnswer.pipe(answer);
      },
    );
    outgoing.on("error", () => {
      if (answer.headersSent) answer.destroy();
      else answer.writeHead(502).end();
    });
    incoming.pipe(outgoing);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [host, port, account] = process.argv.slice(2);
  const proxy = await SmallProxy.start({
    host,
    port: Number(port),
    ...(account !== undefined && { account }),
    onRequest: ({ text, isRefused }) => console.log(`${text}${isRefused ? ", refused" : ""}`),
  });
  console.log(`A proxy listens at ${proxy.url}`);
}
