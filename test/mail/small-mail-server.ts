/** A mail server of one's own: real SMTP on a port of this machine, which keeps what it is given and refuses on request. */
import { createServer, type Server, type Socket } from "node:net";

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and text as they came. */
  readonly data: string;
  /** User and password, if the client gave them. */
  readonly account: readonly [string, string] | undefined;
}

export class SmallMailServer {
  readonly mails: ReceivedMail[] = [];
  /** So many deliveries are refused for now, as full or busy servers do. */
  refusals = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** `host:port`, once it listens. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    const say = (text: string): void => void socket.write(`${text}\r\n`);
    let pending = "";
    let data: string[] | undefined;
    let from = "";
    let to: string[] = [];
    let account: [string, string] | undefined;
    const line = (text: string): void => {
      if (data !== undefined) {
        if (text !== ".") return void data.push(text.replace(/^\.\./, "."));
        if (this.refusals > 0) {
          this.refusals -= 1;
          say("451 try again later");
        } else {
          this.mails.push({ from, to, data: data.join("\n"), account });
          say("250 taken");
        }
        data = undefined;
        to = [];
        return;
      }
      const verb = text.slice(0, 4).toUpperCase();
      const address = /<(.*?)>/.exec(text)?.[1] ?? "";
      if (verb === "EHLO") say("250-small\r\n250 AUTH PLAIN");
      else if (verb === "AUTH") {
        const [, user = "", password = ""] = Buffer.from(text.split(" ")[2] ?? "", "base64")
          .toString()
          .split("\0");
        account = [user, password];
        say("235 welcome");
      } else if (verb === "MAIL") {
        from = address;
        say("250 ok");
      } else if (verb === "RCPT") {
        to.push(address);
        say("250 ok");
      } else if (verb === "DATA") {
        data = [];
        say("354 go on");
      } else if (verb === "QUIT") socket.end("221 bye\r\n");
      else say("250 ok");
    };
    say("220 small");
    socket.on("data", (piece: Buffer) => {
      const lines = (pending + piece.toString()).split("\r\n");
      pending = lines.pop() ?? "";
      for (const each of lines) line(each);
    });
  }
}
