/** Short messages to a Unix datagram socket: what systemd and its kin listen on, and Node has no call for. */
import { declareCall, libc } from "./libc.ts";
import { NativeMemory } from "./native-memory.ts";

const unixFamily = 1;
/** SOCK_DGRAM | SOCK_CLOEXEC: children are not to speak for us. */
const datagramSocket = 2 | 0o2000000;
const withoutSignal = 0x4000;
const socketLevel = 1;
const sendTimeout = 21;
/** A manager that is that slow has other troubles than our messages. */
const sendSecondsMax = 2;
const familyBytes = 2;
const pathBytesMax = 108;
const messageBytesMax = 4096;

export class NotifySocket {
  readonly #address: NativeMemory;
  readonly #addressBytes: number;
  readonly #message = new NativeMemory(messageBytesMax);
  #descriptor: number;

  private constructor(descriptor: number, address: NativeMemory, addressBytes: number) {
    this.#descriptor = descriptor;
    this.#address = address;
    this.#addressBytes = addressBytes;
    this.#limitSending();
  }

  /** `name` is a path, or `@` and a name without one; undefined if it is neither or there is no socket to be had. */
  static open(name: string): NotifySocket | undefined {
    const path = Buffer.from(name);
    if (!(name.startsWith("/") || name.startsWith("@")) || path.length >= pathBytesMax)
      return undefined;
    const descriptor = declareCall("socket", "int", ["int", "int", "int"])(
      unixFamily,
      datagramSocket,
      0,
    );
    if (descriptor < 0) return undefined;
    const address = new NativeMemory(familyBytes + pathBytesMax + 2);
    new Uint16Array(address.bytes.buffer)[0] = unixFamily;
    address.bytes.set(path, familyBytes);
    if (name.startsWith("@")) address.bytes[familyBytes] = 0;
    return new NotifySocket(descriptor, address, familyBytes + path.length);
  }

  /** Waits 2 s at most. False if nobody took it, or it has more than 4096 bytes. */
  send(text: string): boolean {
    const bytes = Buffer.from(text);
    if (this.#descriptor < 0 || bytes.length > messageBytesMax) return false;
    this.#message.bytes.set(bytes);
    const sent = declareCall("sendto", "int64", ["int", "int64", "int64", "int", "int64", "uint"])(
      this.#descriptor,
      this.#message.address,
      bytes.length,
      withoutSignal,
      this.#address.address,
      this.#addressBytes,
    );
    return sent === bytes.length;
  }

  #limitSending(): void {
    const { bytes, address } = this.#message;
    new BigInt64Array(bytes.buffer).set([BigInt(sendSecondsMax), 0n]);
    declareCall("setsockopt", "int", ["int", "int", "int", "int64", "uint"])(
      this.#descriptor,
      socketLevel,
      sendTimeout,
      address,
      16,
    );
  }

  close(): void {
    if (this.#descriptor >= 0) libc().close(this.#descriptor);
    this.#descriptor = -1;
  }
}
