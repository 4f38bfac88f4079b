/** Bounds how many requests, and how many bytes of them, are under way at once; first come, first served. */

interface Waiter {
  readonly bytes: number;
  readonly enter: () => void;
}

/** Gives a slot back; further calls do nothing. */
export type ReleaseSlot = () => void;

export class RequestSlots {
  #countMax: number;
  readonly #bytesMax: number;
  readonly #waiters: Waiter[] = [];
  #count = 0;
  #bytes = 0;

  /** Both at least 1. A request of more than `bytesMax` goes alone. */
  constructor(countMax: number, bytesMax: number) {
    if (!(countMax >= 1) || !(bytesMax >= 1)) throw new RangeError("slots must be at least 1");
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  /** From now on so many at once, at least 1. Those that are under way go on. */
  allow(countMax: number): void {
    this.#countMax = countMax;
    this.#admit();
  }

  /** Requests under way. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the requests under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves when a request of `bytes` may begin, with the function that ends it. */
  async enter(bytes: number, signal: AbortSignal): Promise<ReleaseSlot> {
    signal.throwIfAborted();
    if (this.#waiters.length > 0 || !this.#fits(bytes)) await this.#queue(bytes, signal);
    else this.#take(bytes);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#count -= 1;
      this.#bytes -= bytes;
      this.#admit();
    };
  }

  async #queue(bytes: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { bytes, enter: resolve };
    const onAbort = (): void => {
      const at = this.#waiters.indexOf(waiter);
      // Already admitted: its request will see the signal, and gives the slot back.
      if (at < 0) return;
      this.#waiters.splice(at, 1);
      reject(signal.reason);
      // It may have been the one that all behind it waited for.
      this.#admit();
    };
    this.#waiters.push(waiter);
    signal.addEventListener("abort", onAbort, { once: true });
    await promise.finally(() => signal.removeEventListener("abort", onAbort));
  }

  #admit(): void {
    for (;;) {
      const first = this.#waiters[0];
      if (first === undefined || !this.#fits(first.bytes)) return;
      this.#waiters.shift();
      this.#take(first.bytes);
      first.enter();
    }
  }

  #fits(bytes: number): boolean {
    if (this.#count === 0) return true;
    return this.#count < this.#countMax && this.#bytes + bytes <= this.#bytesMax;
  }

  #take(bytes: number): void {
    this.#count += 1;
    this.#bytes += bytes;
  }
}
