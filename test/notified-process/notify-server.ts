/** What systemd is to a service: a Unix datagram socket that takes its messages. */
import koffi from "koffi";

const unixFamily = 1;
const datagramSocket = 2;
const withoutWaiting = 0x40;
const messageBytesMax = 8192;

const calls = () => {
  const library = koffi.load(null);
  return {
    socket: library.func("int socket(int, int, int)"),
    bind: library.func("int bind(int, const uint8_t *, uint)"),
    recv: library.func("int64 recv(int, _Out_ uint8_t *, uint64, int)"),
    close: library.func("int close(int)"),
  };
};

export class NotifyServer {
  readonly #calls = calls();
  readonly #descriptor: number;
  readonly #messages: string[] = [];

  /** `name` is what goes into NOTIFY_SOCKET: a path that is free, or `@` and a name. */
  constructor(name: string) {
    this.#descriptor = this.#calls.socket(unixFamily, datagramSocket, 0) as number;
    const path = Buffer.from(name.replace(/^@/, "\0"));
    const address = Buffer.concat([Buffer.of(unixFamily, 0), path]);
    if (this.#calls.bind(this.#descriptor, address, address.length) !== 0)
      throw new Error(`bind ${name}: errno ${koffi.errno()}`);
  }

  /** All messages so far, the oldest first. */
  messages(): readonly string[] {
    const buffer = Buffer.alloc(messageBytesMax);
    for (;;) {
      const length = Number(
        this.#calls.recv(this.#descriptor, buffer, messageBytesMax, withoutWaiting),
      );
      if (length < 0) return this.#messages;
      this.#messages.push(buffer.toString("utf8", 0, length));
    }
  }

  close(): void {
    this.#calls.close(this.#descriptor);
  }
}
