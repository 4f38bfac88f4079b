/**
 * Messages between threads that work synchronously: ordinary message ports, and one counter in shared
 * memory for each thread, on which it sleeps and which every sender raises.
 */
import { type MessagePort, receiveMessageOnPort, type Transferable } from "node:worker_threads";

/** A port to a thread together with the counter that wakes it. */
export interface Mailbox {
  readonly port: MessagePort;
  readonly wake: Int32Array;
}

/** Sends to a thread that may be asleep. */
export function post(mailbox: Mailbox, message: unknown, transfer: Transferable[] = []): void {
  mailbox.port.postMessage(message, transfer);
  Atomics.add(mailbox.wake, 0, 1);
  Atomics.notify(mailbox.wake, 0);
}

/** The receiving side: all ports of one thread. */
export class Inbox<Message> {
  readonly #ports: readonly MessagePort[];
  readonly #wake: Int32Array;
  readonly #assertRunning: () => void;
  #next = 0;

  /** `assertRunning` throws if the thread is to stop; it is asked whenever the thread wakes up. */
  constructor(ports: readonly MessagePort[], wake: Int32Array, assertRunning: () => void) {
    this.#ports = ports;
    this.#wake = wake;
    this.#assertRunning = assertRunning;
  }

  /** A message that has arrived, or undefined. Ports take turns. */
  poll(): Message | undefined {
    for (let i = 0; i < this.#ports.length; i += 1) {
      const port = this.#ports[(this.#next + i) % this.#ports.length];
      const received = receiveMessageOnPort(port) as { message: Message } | undefined;
      if (received === undefined) continue;
      this.#next = (this.#next + i + 1) % this.#ports.length;
      return received.message;
    }
    return undefined;
  }

  /** The next message; sleeps until there is one. */
  wait(): Message {
    for (;;) {
      this.#assertRunning();
      const seen = Atomics.load(this.#wake, 0);
      const message = this.poll();
      if (message !== undefined) return message;
      Atomics.wait(this.#wake, 0, seen);
    }
  }
}
