/**
 * Holds a store to a rate of bytes a second in each direction, and to a number of requests at once, which falls when the
 * storage says that it gets too many.
 *
 * A file is one piece: it waits for its turn and then goes at full speed, so the rate holds on average over
 * a few files. Locks never wait: a lock that is refreshed too late is a lost session.
 */
import { Readable } from "node:stream";
import type { Clock } from "../../platform/ports/clock.ts";
import type {
  ByteRange,
  FileType,
  Handle,
  ObjectStore,
  RetentionLocks,
  StoreCapabilities,
  StoredFile,
  StreamedObjects,
} from "../object-store.ts";
import {
  afterSuccess,
  afterThrottling,
  firstPace,
  isThrottling,
  type RequestPace,
} from "./request-pace.ts";
import { RequestSlots } from "./request-slots.ts";
import { TransferRate } from "./transfer-rate.ts";

export interface LimitOptions {
  readonly clock: Clock;
  /** Above 0; unlimited unless given. */
  readonly uploadBytesPerSecond?: number;
  /** Above 0; unlimited unless given. */
  readonly downloadBytesPerSecond?: number;
  /** Most requests at once, at least 1; what the store likes unless given. */
  readonly connections?: number;
  /** Bytes of files under way at once; a larger file goes alone. 256 MiB unless given. */
  readonly inFlightBytesMax?: number;
}

/** What a load of a whole file counts for before its size is known: the usual size of a pack. */
const wholeLoadBytes = 16 * 1024 * 1024;

export class LimitedStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #slots: RequestSlots;
  readonly #upload: TransferRate;
  readonly #download: TransferRate;
  readonly #connections: number;
  #pace: RequestPace;

  constructor(inner: ObjectStore, options: LimitOptions) {
    const { clock, uploadBytesPerSecond, downloadBytesPerSecond } = options;
    this.#inner = inner;
    this.#connections = options.connections ?? inner.capabilities.connections;
    this.#pace = firstPace(this.#connections);
    this.#slots = new RequestSlots(
      this.#connections,
      options.inFlightBytesMax ?? 256 * 1024 * 1024,
    );
    this.#upload = new TransferRate(uploadBytesPerSecond ?? Number.POSITIVE_INFINITY, clock);
    this.#download = new TransferRate(downloadBytesPerSecond ?? Number.POSITIVE_INFINITY, clock);
  }

  get location(): string {
    return this.#inner.location;
  }

  get capabilities(): StoreCapabilities {
    return { ...this.#inner.capabilities, connections: this.#connections };
  }

  get retentionLocks(): RetentionLocks | undefined {
    const inner = this.#inner.retentionLocks;
    if (inner === undefined) return undefined;
    return {
      lockedUntil: async (handle, signal) =>
        await this.#inSlot(0, signal, () => inner.lockedUntil(handle, signal)),
      extend: async (handle, untilMs, signal) =>
        await this.#inSlot(0, signal, () => inner.extend(handle, untilMs, signal)),
    };
  }

  /** What passes through waits for its bytes one part at a time; of a body that goes out the slot is free at its first. */
  get streamed(): StreamedObjects | undefined {
    const inner = this.#inner.streamed;
    if (inner === undefined) return undefined;
    return {
      receive: async (handle, sizeBytes, source, signal) =>
        await this.#inSlot(0, signal, () =>
          inner.receive(handle, sizeBytes, paced(source, this.#upload, signal), signal),
        ),
      open: async (handle, range, signal) =>
        await this.#inSlot(0, signal, async () => {
          const opened = await inner.open(handle, range, signal);
          if (opened === undefined) return undefined;
          const body = Readable.from(paced(opened.body, this.#download, signal));
          opened.body.on("error", () => undefined);
          // Also if nobody ever reads it.
          body.once("close", () => opened.body.destroy());
          return { ...opened, body };
        }),
    };
  }

  async create(signal: AbortSignal): Promise<void> {
    await this.#inSlot(0, signal, () => this.#inner.create(signal));
  }

  async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    if (handle.type === "locks") {
      this.#upload.count(data.length);
      return await this.#inner.save(handle, data, signal);
    }
    await this.#inSlot(data.length, signal, async () => {
      await this.#upload.wait(data.length, signal);
      await this.#inner.save(handle, data, signal);
    });
  }

  async load(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    if (handle.type === "locks") {
      const data = await this.#inner.load(handle, range, signal);
      this.#download.count(data.length);
      return data;
    }
    return await this.#inSlot(sizeOf(range), signal, async () => {
      await this.#download.wait(range?.length ?? 0, signal);
      const data = await this.#inner.load(handle, range, signal);
      if (range === undefined) this.#download.count(data.length);
      return data;
    });
  }

  /** Holds a slot while it waits for the store, none while the consumer works. */
  async *list(type: FileType, signal: AbortSignal): AsyncIterable<StoredFile> {
    const files = this.#inner.list(type, signal)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = () => files.next();
        const result = await (type === "locks" ? next() : this.#inSlot(0, signal, next));
        if (result.done === true) return;
        yield result.value;
      }
    } finally {
      await files.return?.();
    }
  }

  async stat(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    const act = (): Promise<number | undefined> => this.#inner.stat(handle, signal);
    return handle.type === "locks" ? await act() : await this.#inSlot(0, signal, act);
  }

  async remove(handle: Handle, signal: AbortSignal): Promise<void> {
    const act = (): Promise<void> => this.#inner.remove(handle, signal);
    if (handle.type === "locks") await act();
    else await this.#inSlot(0, signal, act);
  }

  async sweep(signal: AbortSignal): Promise<number> {
    return await this.#inSlot(0, signal, () => this.#inner.sweep(signal));
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  async #inSlot<T>(bytes: number, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    const release = await this.#slots.enter(bytes, signal);
    const { round } = this.#pace;
    try {
      const result = await act();
      this.#keep(afterSuccess(this.#pace, this.#connections));
      return result;
    } catch (error) {
      if (isThrottling(error)) this.#keep(afterThrottling(this.#pace, round));
      throw error;
    } finally {
      release();
    }
  }

  #keep(pace: RequestPace): void {
    if (pace.allowed !== this.#pace.allowed) this.#slots.allow(pace.allowed);
    this.#pace = pace;
  }
}

/** The same parts, each when the rate lets it go. */
async function* paced(
  source: AsyncIterable<Uint8Array>,
  rate: TransferRate,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const part of source) {
    await rate.wait(part.length, signal);
    yield part;
  }
}

/** Sizes that break the rules are refused by the store, they only must not break the count. */
function sizeOf(range: ByteRange | undefined): number {
  if (range === undefined) return wholeLoadBytes;
  return Number.isSafeInteger(range.length) && range.length > 0 ? range.length : 0;
}
