/** Stays on a message bus for as long as it is wanted: connects, listens, and comes back when the bus does. */
import { DbusConnection, type DbusSignal } from "./dbus-connection.ts";

const retryMsFirst = 1_000;
const retryMsMax = 60_000;

export interface DbusListener {
  /** Match rules; each names its sender. */
  readonly rules: readonly string[];
  /** Takes stock once the rules hold: at the start, and again after each loss. What it rejects with is dropped. */
  connected(bus: DbusConnection): Promise<void>;
  signal(signal: DbusSignal, bus: DbusConnection): void;
  /** The bus went away; nothing is known until `connected`. */
  disconnected(): void;
}

export class DbusWatch {
  readonly #address: string;
  readonly #listener: DbusListener;
  readonly #retryMs: number;
  #bus: DbusConnection | undefined;
  #connecting: Promise<unknown> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isWanted = false;

  /** `retryMs` is the first wait before another try; it doubles up to a minute. */
  constructor(address: string, listener: DbusListener, retryMs: number = retryMsFirst) {
    this.#address = address;
    this.#listener = listener;
    this.#retryMs = retryMs;
  }

  /** Resolves after the first try, within seconds: undefined if it listens now, else why not. Goes on trying. */
  async start(): Promise<unknown> {
    this.#isWanted = true;
    this.#connecting = this.#connect(this.#retryMs);
    return await this.#connecting;
  }

  async stop(): Promise<void> {
    this.#isWanted = false;
    clearTimeout(this.#timer);
    await this.#bus?.close();
    await this.#connecting;
  }

  async #connect(retryMs: number): Promise<unknown> {
    let bus: DbusConnection | undefined;
    try {
      const opened = await DbusConnection.open(this.#address, (signal) => {
        if (this.#isWanted && this.#bus !== undefined) this.#listener.signal(signal, this.#bus);
      });
      bus = opened;
      this.#bus = opened;
      for (const rule of this.#listener.rules) await opened.addMatch(rule);
      await this.#listener.connected(opened);
    } catch (error) {
      await bus?.close();
      this.#bus = undefined;
      this.#retry(retryMs);
      return error;
    }
    if (!this.#isWanted) await bus.close();
    void bus.closed.then(() => this.#lost());
    return undefined;
  }

  #lost(): void {
    this.#bus = undefined;
    this.#listener.disconnected();
    this.#retry(this.#retryMs);
  }

  #retry(delayMs: number): void {
    if (!this.#isWanted) return;
    this.#timer = setTimeout(() => {
      this.#connecting = this.#connect(Math.min(delayMs * 2, retryMsMax));
    }, delayMs);
  }
}
