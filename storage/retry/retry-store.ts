/**
 * Tries again what failed for a reason that may pass (`kind` temporary), with exponential back-off and full
 * jitter, so that many agents do not come back at the same moment.
 *
 * Safe because every call of the contract may be repeated: a save whose answer was lost finds its own
 * content and succeeds, a removal finds nothing and succeeds.
 */
import type { Clock } from "../../platform/ports/clock.ts";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import {
  type ByteRange,
  type FileType,
  type Handle,
  handlePath,
  type ObjectStore,
  type RetentionLocks,
  type StoreCapabilities,
  type StoredFile,
  type StreamedObjects,
} from "../object-store.ts";

/** What is about to be tried again. */
export interface RetryEvent {
  /** The call and the file, such as `save data/ab/ab12…`. */
  readonly what: string;
  readonly error: BackstayError;
  /** How many attempts have failed so far, from 1. */
  readonly attempts: number;
  /** Wait before the next attempt, ms. */
  readonly delayMs: number;
}

export interface RetryOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly onRetry?: (event: RetryEvent) => void;
  /** Upper end of the first wait; it doubles with each failure. 500 ms unless given. */
  readonly firstDelayMsMax?: number;
  /** Upper end of any wait. 60 s unless given. */
  readonly delayMsMax?: number;
  /** From the first failure of a call to giving it up. 15 minutes unless given. */
  readonly budgetMs?: number;
}

/** A server that says when to come back (`retryAfterMs` in the error's context) is obeyed up to this. */
const askedDelayMsMax = 5 * 60 * 1000;

export class RetryStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #onRetry: (event: RetryEvent) => void;
  readonly #firstDelayMsMax: number;
  readonly #delayMsMax: number;
  readonly #budgetMs: number;

  constructor(inner: ObjectStore, options: RetryOptions) {
    this.#inner = inner;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#onRetry = options.onRetry ?? (() => undefined);
    this.#firstDelayMsMax = options.firstDelayMsMax ?? 500;
    this.#delayMsMax = options.delayMsMax ?? 60_000;
    this.#budgetMs = options.budgetMs ?? 15 * 60_000;
  }

  get location(): string {
    return this.#inner.location;
  }

  get capabilities(): StoreCapabilities {
    return this.#inner.capabilities;
  }

  get retentionLocks(): RetentionLocks | undefined {
    const inner = this.#inner.retentionLocks;
    if (inner === undefined) return undefined;
    return {
      lockedUntil: async (handle, signal) =>
        await this.#persist(`lock of ${handlePath(handle)}`, signal, () =>
          inner.lockedUntil(handle, signal),
        ),
      extend: async (handle, untilMs, signal) =>
        await this.#persist(`lock ${handlePath(handle)}`, signal, () =>
          inner.extend(handle, untilMs, signal),
        ),
    };
  }

  /** A body that has begun to pass through is not there a second time: what fails then is the caller's to try again. */
  get streamed(): StreamedObjects | undefined {
    const inner = this.#inner.streamed;
    if (inner === undefined) return undefined;
    return {
      receive: async (handle, sizeBytes, source, signal) => {
        let hasBegun = false;
        const watched = async function* (): AsyncGenerator<Uint8Array> {
          hasBegun = true;
          yield* source;
        };
        const backOff = this.#backOff(`receive ${handlePath(handle)}`, signal);
        for (;;) {
          try {
            return await inner.receive(handle, sizeBytes, watched(), signal);
          } catch (error) {
            if (hasBegun) throw error;
            await backOff(error);
          }
        }
      },
      open: async (handle, range, signal) =>
        await this.#persist(`open ${handlePath(handle)}`, signal, () =>
          inner.open(handle, range, signal),
        ),
    };
  }

  async create(signal: AbortSignal): Promise<void> {
    await this.#persist("create", signal, () => this.#inner.create(signal));
  }

  async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#persist(`save ${handlePath(handle)}`, signal, () =>
      this.#inner.save(handle, data, signal),
    );
  }

  async load(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    return await this.#persist(`load ${handlePath(handle)}`, signal, () =>
      this.#inner.load(handle, range, signal),
    );
  }

  /** Begins again after a failure and leaves out what it has given; so it holds the names it has given. */
  async *list(type: FileType, signal: AbortSignal): AsyncIterable<StoredFile> {
    const given = new Set<string>();
    const backOff = this.#backOff(`list ${type}`, signal);
    for (;;) {
      try {
        for await (const file of this.#inner.list(type, signal)) {
          if (given.has(file.name)) continue;
          given.add(file.name);
          yield file;
        }
        return;
      } catch (error) {
        await backOff(error);
      }
    }
  }

  async stat(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    return await this.#persist(`stat ${handlePath(handle)}`, signal, () =>
      this.#inner.stat(handle, signal),
    );
  }

  async remove(handle: Handle, signal: AbortSignal): Promise<void> {
    await this.#persist(`remove ${handlePath(handle)}`, signal, () =>
      this.#inner.remove(handle, signal),
    );
  }

  async sweep(signal: AbortSignal): Promise<number> {
    return await this.#persist("sweep", signal, () => this.#inner.sweep(signal));
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  async #persist<T>(what: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    const backOff = this.#backOff(what, signal);
    for (;;) {
      try {
        return await act();
      } catch (error) {
        await backOff(error);
      }
    }
  }

  /** A function that waits before the next attempt, or throws when there shall be none. */
  #backOff(what: string, signal: AbortSignal): (error: unknown) => Promise<void> {
    let attempts = 0;
    let firstFailureMs = 0;
    return async (error) => {
      signal.throwIfAborted();
      if (!isBackstayError(error) || error.kind !== "temporary") throw error;
      attempts += 1;
      const nowMs = this.#clock.monotonic();
      if (attempts === 1) firstFailureMs = nowMs;
      const delayMs = this.#delayMs(attempts, error);
      const spentMs = nowMs - firstFailureMs;
      if (spentMs + delayMs > this.#budgetMs)
        throw new BackstayError(error.code, { ...error.context, attempts, spentMs }, error);
      this.#onRetry({ what, error, attempts, delayMs });
      await this.#clock.sleep(delayMs, signal);
    };
  }

  #delayMs(attempts: number, error: BackstayError): number {
    const widthMs = Math.min(this.#delayMsMax, this.#firstDelayMsMax * 2 ** (attempts - 1));
    const ownMs = this.#random() * widthMs;
    const asked = error.context["retryAfterMs"];
    if (typeof asked !== "number" || !(asked > 0)) return ownMs;
    return Math.min(asked, askedDelayMsMax) + ownMs;
  }
}
