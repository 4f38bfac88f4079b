/** Bounds the bytes that are being fetched, or wait to be used, at once. */

interface Waiting {
  readonly bytes: number;
  readonly resolve: () => void;
}

/** Whoever takes bytes gives them back. */
export class ByteBudget {
  readonly #max: number;
  readonly #waiting: Waiting[] = [];
  #used = 0;

  constructor(bytesMax: number) {
    this.#max = bytesMax;
  }

  /** Resolves when there is room, first come first served; more than the whole budget gets through alone. Rejects with the signal's reason. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#used += bytes;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal.reason as Error);
      };
      const waiting: Waiting = {
        bytes,
        resolve: () => {
          signal.removeEventListener("abort", abort);
          resolve();
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.push(waiting);
    });
  }

  /** Gives back what `take` has let through. */
  give(bytes: number): void {
    this.#used -= bytes;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!this.#fits(next.bytes)) return;
      this.#waiting.shift();
      this.#used += next.bytes;
      next.resolve();
    }
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#max;
  }
}
