/** Counts what is asked of a store and what it moves, and tells of each call when it has ended. */
import type { Clock } from "../../platform/ports/clock.ts";
import {
  type ByteRange,
  type FileType,
  fileTypes,
  type Handle,
  handlePath,
  type ObjectStore,
  type RetentionLocks,
  type StoreCapabilities,
  type StoredFile,
  type StreamedObject,
  type StreamedObjects,
} from "../object-store.ts";
import { type StoreMethod, storeMethods } from "../store-method.ts";

/** One call that has ended. */
export interface StoreCall {
  readonly method: StoreMethod;
  /** The file, or the type that was listed; empty for calls that concern the whole store. */
  readonly file: string;
  /** Bytes moved: of the file for a save (also a failed one) or a load, else 0. */
  readonly bytes: number;
  /** For a list, the consumer's time included. */
  readonly durationMs: number;
  /** What it was rejected with, or undefined. */
  readonly error: unknown;
}

/** Sums since the store was wrapped. */
export interface StoreTraffic {
  /** Calls begun. */
  readonly calls: Readonly<Record<StoreMethod, number>>;
  /** Calls that were rejected, aborted ones included. */
  readonly failures: number;
  /** Bytes of saves that succeeded. */
  readonly bytesUp: Readonly<Record<FileType, number>>;
  /** Bytes of loads that succeeded. */
  readonly bytesDown: Readonly<Record<FileType, number>>;
}

export class TracedStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #clock: Clock;
  readonly #onCall: (call: StoreCall) => void;
  readonly #calls = zeros(storeMethods);
  readonly #bytesUp = zeros(fileTypes);
  readonly #bytesDown = zeros(fileTypes);
  #failures = 0;

  constructor(inner: ObjectStore, clock: Clock, onCall: (call: StoreCall) => void = () => {}) {
    this.#inner = inner;
    this.#clock = clock;
    this.#onCall = onCall;
  }

  /** The sums at this moment; the object does not change any more. */
  get traffic(): StoreTraffic {
    return {
      calls: { ...this.#calls },
      failures: this.#failures,
      bytesUp: { ...this.#bytesUp },
      bytesDown: { ...this.#bytesDown },
    };
  }

  get location(): string {
    return this.#inner.location;
  }

  get capabilities(): StoreCapabilities {
    return this.#inner.capabilities;
  }

  /** Asking until when is traced as a `stat`, locking as a `save` of no bytes. */
  get retentionLocks(): RetentionLocks | undefined {
    const inner = this.#inner.retentionLocks;
    if (inner === undefined) return undefined;
    return {
      lockedUntil: async (handle, signal) =>
        await this.#traced("stat", handlePath(handle), () => inner.lockedUntil(handle, signal)),
      extend: async (handle, untilMs, signal) =>
        await this.#traced("save", handlePath(handle), () => inner.extend(handle, untilMs, signal)),
    };
  }

  /** What comes in is traced as a `save`; what goes out as a `load`, which has ended when its body begins. */
  get streamed(): StreamedObjects | undefined {
    const inner = this.#inner.streamed;
    if (inner === undefined) return undefined;
    return {
      receive: async (handle, sizeBytes, source, signal) => {
        const act = (): Promise<"created" | "exists"> =>
          inner.receive(handle, sizeBytes, source, signal);
        const sizeOf = (outcome: string): number => (outcome === "created" ? sizeBytes : 0);
        const outcome = await this.#traced("save", handlePath(handle), act, sizeOf);
        this.#bytesUp[handle.type] += sizeOf(outcome);
        return outcome;
      },
      open: async (handle, range, signal) => {
        const act = (): Promise<StreamedObject | undefined> => inner.open(handle, range, signal);
        const sizeOf = (opened: StreamedObject | undefined): number =>
          opened === undefined ? 0 : (range?.length ?? opened.sizeBytes);
        const opened = await this.#traced("load", handlePath(handle), act, sizeOf);
        this.#bytesDown[handle.type] += sizeOf(opened);
        return opened;
      },
    };
  }

  async create(signal: AbortSignal): Promise<void> {
    await this.#traced("create", "", () => this.#inner.create(signal));
  }

  async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    const bytes = data.length;
    const act = (): Promise<void> => this.#inner.save(handle, data, signal);
    await this.#traced("save", handlePath(handle), act, () => bytes, bytes);
    this.#bytesUp[handle.type] += bytes;
  }

  async load(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const act = (): Promise<Uint8Array> => this.#inner.load(handle, range, signal);
    const data = await this.#traced("load", handlePath(handle), act, (loaded) => loaded.length);
    this.#bytesDown[handle.type] += data.length;
    return data;
  }

  async *list(type: FileType, signal: AbortSignal): AsyncIterable<StoredFile> {
    const end = this.#begin("list", type);
    try {
      yield* this.#inner.list(type, signal);
    } catch (error) {
      end(0, error);
      throw error;
    } finally {
      end(0);
    }
  }

  async stat(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    return await this.#traced("stat", handlePath(handle), () => this.#inner.stat(handle, signal));
  }

  async remove(handle: Handle, signal: AbortSignal): Promise<void> {
    await this.#traced("remove", handlePath(handle), () => this.#inner.remove(handle, signal));
  }

  async sweep(signal: AbortSignal): Promise<number> {
    return await this.#traced("sweep", "", () => this.#inner.sweep(signal));
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  async #traced<T>(
    method: StoreMethod,
    file: string,
    act: () => Promise<T>,
    sizeOf: (result: T) => number = () => 0,
    failedBytes = 0,
  ): Promise<T> {
    const end = this.#begin(method, file);
    try {
      const result = await act();
      end(sizeOf(result));
      return result;
    } catch (error) {
      end(failedBytes, error);
      throw error;
    }
  }

  /** Counts a call, and returns the function that ends it; only its first call counts. */
  #begin(method: StoreMethod, file: string): (bytes: number, error?: unknown) => void {
    const beginMs = this.#clock.monotonic();
    this.#calls[method] += 1;
    let isOpen = true;
    return (bytes, error) => {
      if (!isOpen) return;
      isOpen = false;
      if (error !== undefined) this.#failures += 1;
      const durationMs = this.#clock.monotonic() - beginMs;
      this.#onCall({ method, file, bytes, durationMs, error });
    };
  }
}

function zeros<K extends string>(keys: readonly K[]): Record<K, number> {
  const counts = {} as Record<K, number>;
  for (const key of keys) counts[key] = 0;
  return counts;
}
