/** A server that answers each request with the bytes a test says, and breaks off where it says. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** What happens to one request. */
export interface ScriptedAnswer {
  /** Sent as it is. */
  readonly text: string;
  /** `keep` waits for the next request, `cut` breaks the connection, `silent` does nothing any more. */
  readonly after: "keep" | "cut" | "silent";
}

/** `head`: the request's first line and headers, as they came. Undefined: the connection breaks. */
export type Script = (head: string, body: Buffer) => ScriptedAnswer | undefined;

export class ScriptedServer {
  /** First lines of all requests. */
  readonly requests: string[] = [];
  /** How many have been made. */
  connections = 0;
  script: Script;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(script: Script) {
    this.script = script;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(script: Script): Promise<ScriptedServer> {
    const made = new ScriptedServer(script);
    made.#server.listen(0, "127.0.0.1");
    await once(made.#server, "listening");
    return made;
  }

  /** `127.0.0.1:port`. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let come = Buffer.alloc(0);
    socket.on("data", (part: Buffer) => {
      come = Buffer.concat([come, part]);
      const end = come.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = come.subarray(0, end).toString("latin1");
      const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
      if (come.length < end + 4 + length) return;
      const body = come.subarray(end + 4, end + 4 + length);
      come = come.subarray(end + 4 + length);
      this.requests.push(head.split("\r\n")[0]);
      const answer = this.script(head, body);
      if (answer === undefined) {
        socket.destroy();
        return;
      }
      const text = head.startsWith("HEAD ") ? withoutBody(answer.text) : answer.text;
      if (answer.after === "cut") socket.end(text, "latin1", () => socket.destroy());
      else socket.write(text, "latin1");
    });
  }
}

function withoutBody(text: string): string {
  const end = text.indexOf("\r\n\r\n");
  return end < 0 ? text : text.slice(0, end + 4);
}

/** A whole answer, after which the connection stays. */
export function answer(status: number, body = "", headers: readonly string[] = []): ScriptedAnswer {
  const lines = [`HTTP/1.1 ${status} Scripted`, `content-length: ${body.length}`, ...headers];
  return { text: `${lines.join("\r\n")}\r\n\r\n${body}`, after: "keep" };
}
