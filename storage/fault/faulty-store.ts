/**
 * A store that fails on purpose, for tests: the n-th call once or for ever after, or calls picked by a seed.
 *
 * Faults (for calls without an effect of the kind, the nearest one that they have)
 *   before   nothing happens, the call is rejected
 *   after    the effect happens and the call is rejected: the answer was lost
 *   torn     half of the effect happens and the call is rejected: half a file is stored, half a list is given.
 *            No store that keeps the contract tears a save; this is what a broken one leaves behind
 *   flipped  a load succeeds with one bit changed
 */
import { Readable } from "node:stream";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";
import type {
  ByteRange,
  FileType,
  Handle,
  ObjectStore,
  RetentionLocks,
  StoreCapabilities,
  StoredFile,
  StreamedObject,
  StreamedObjects,
} from "../object-store.ts";
import type { StoreMethod } from "../store-method.ts";

export type StoreFault = "before" | "after" | "torn" | "flipped";

/** Which calls count, and what happens to those that are struck. */
interface FaultChoice {
  readonly fault: StoreFault;
  /** The error's code; STORE_UNAVAILABLE unless given. */
  readonly code?: ErrorCode;
  /** Only these methods count; all unless given (`flipped`: loads). */
  readonly methods?: readonly StoreMethod[];
  /** Only these types of files count; all unless given. Calls on the whole store have no type. */
  readonly types?: readonly FileType[];
}

/** Strikes the n-th call that counts, from 1. */
export interface ScriptedFault extends FaultChoice {
  readonly failAt: number;
  /** How many calls in a row are struck: 1 unless given, Infinity for a store that is gone for good. */
  readonly times?: number;
}

/** Strikes each call that counts with this probability. */
export interface RandomFault extends FaultChoice {
  readonly probability: number;
  /** Uniform in [0, 1), from a seed so that a run can be repeated. */
  readonly random: () => number;
}

export class FaultyStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #faults: readonly (ScriptedFault | RandomFault)[];
  readonly #counts: number[];
  readonly #struck: number[];
  #calls = 0;

  constructor(inner: ObjectStore, ...faults: readonly (ScriptedFault | RandomFault)[]) {
    this.#inner = inner;
    this.#faults = faults;
    this.#counts = faults.map(() => 0);
    this.#struck = faults.map(() => 0);
  }

  /** All calls so far. */
  get calls(): number {
    return this.#calls;
  }

  /** Calls that were struck so far. */
  get struck(): number {
    return this.#struck.reduce((sum, count) => sum + count, 0);
  }

  /** Throws if a scripted fault never struck: the test did not test what it meant to. */
  assertConsumed(): void {
    for (const [i, fault] of this.#faults.entries())
      if ("failAt" in fault && this.#struck[i] === 0)
        throw new Error(
          `the fault at call ${fault.failAt} never struck: ${this.#counts[i]} calls counted`,
        );
  }

  get location(): string {
    return this.#inner.location;
  }

  get capabilities(): StoreCapabilities {
    return this.#inner.capabilities;
  }

  /** Counted as `stat` and `save`. */
  get retentionLocks(): RetentionLocks | undefined {
    const inner = this.#inner.retentionLocks;
    if (inner === undefined) return undefined;
    return {
      lockedUntil: async (handle, signal) =>
        await this.#strike("stat", handle.type, () => inner.lockedUntil(handle, signal)),
      extend: async (handle, untilMs, signal) =>
        await this.#strike("save", handle.type, () => inner.extend(handle, untilMs, signal)),
    };
  }

  /** Counted as `save` and `load`. Torn: half of the body passes, and none of it is stored. */
  get streamed(): StreamedObjects | undefined {
    const inner = this.#inner.streamed;
    if (inner === undefined) return undefined;
    return {
      receive: async (handle, sizeBytes, source, signal) => {
        const fault = this.#next("save", handle.type);
        if (fault?.fault === "before") throw this.#error(fault, "save");
        const isTorn = fault?.fault === "torn";
        const error = fault === undefined ? undefined : this.#error(fault, "save");
        const given = isTorn ? firstHalf(source, sizeBytes, error) : source;
        const outcome = await inner.receive(handle, sizeBytes, given, signal);
        if (error !== undefined) throw error;
        return outcome;
      },
      open: async (handle, range, signal) => {
        const fault = this.#next("load", handle.type);
        if (fault?.fault === "before") throw this.#error(fault, "load");
        const opened = await inner.open(handle, range, signal);
        if (fault === undefined || opened === undefined) return opened;
        if (fault.fault === "flipped") return { ...opened, body: flippedBody(opened) };
        opened.body.on("error", () => undefined).destroy();
        throw this.#error(fault, "load");
      },
    };
  }

  async create(signal: AbortSignal): Promise<void> {
    await this.#strike("create", undefined, () => this.#inner.create(signal));
  }

  async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    const fault = this.#next("save", handle.type);
    if (fault?.fault === "before") throw this.#error(fault, "save");
    const isTorn = fault?.fault === "torn";
    await this.#inner.save(handle, isTorn ? data.subarray(0, data.length >> 1) : data, signal);
    if (fault !== undefined) throw this.#error(fault, "save");
  }

  async load(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const fault = this.#next("load", handle.type);
    if (fault?.fault === "before") throw this.#error(fault, "load");
    const data = await this.#inner.load(handle, range, signal);
    if (fault === undefined) return data;
    if (fault.fault !== "flipped") throw this.#error(fault, "load");
    const at = data.length >> 1;
    if (data.length > 0) data[at] ^= 1 << (at & 7);
    return data;
  }

  async *list(type: FileType, signal: AbortSignal): AsyncIterable<StoredFile> {
    const fault = this.#next("list", type);
    if (fault === undefined) return yield* this.#inner.list(type, signal);
    if (fault.fault === "before") throw this.#error(fault, "list");
    const files = await Array.fromAsync(this.#inner.list(type, signal));
    yield* fault.fault === "torn" ? files.slice(0, files.length >> 1) : files;
    throw this.#error(fault, "list");
  }

  async stat(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    return await this.#strike("stat", handle.type, () => this.#inner.stat(handle, signal));
  }

  async remove(handle: Handle, signal: AbortSignal): Promise<void> {
    await this.#strike("remove", handle.type, () => this.#inner.remove(handle, signal));
  }

  async sweep(signal: AbortSignal): Promise<number> {
    return await this.#strike("sweep", undefined, () => this.#inner.sweep(signal));
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  async #strike<T>(
    method: StoreMethod,
    type: FileType | undefined,
    act: () => Promise<T>,
  ): Promise<T> {
    const fault = this.#next(method, type);
    if (fault?.fault === "before") throw this.#error(fault, method);
    const result = await act();
    if (fault !== undefined) throw this.#error(fault, method);
    return result;
  }

  /** The first fault that strikes this call. Every fault counts every call. */
  #next(method: StoreMethod, type: FileType | undefined): FaultChoice | undefined {
    this.#calls += 1;
    let found: FaultChoice | undefined;
    for (const [i, fault] of this.#faults.entries()) {
      if (!isCounted(fault, method, type)) continue;
      this.#counts[i] += 1;
      if (found !== undefined || !isDue(fault, this.#counts[i])) continue;
      this.#struck[i] += 1;
      found = fault;
    }
    return found;
  }

  #error(fault: FaultChoice, method: StoreMethod): BackstayError {
    const code = fault.code ?? "STORE_UNAVAILABLE";
    return new BackstayError(code, { injected: fault.fault, method, call: this.#calls });
  }
}

async function* firstHalf(
  source: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  error: unknown,
): AsyncGenerator<Uint8Array> {
  let left = sizeBytes >> 1;
  for await (const part of source) {
    yield part.subarray(0, left);
    left -= part.length;
    if (left <= 0) break;
  }
  throw error;
}

/** With one bit of its first byte changed. */
function flippedBody({ body }: StreamedObject): Readable {
  const flipped = async function* (): AsyncGenerator<Uint8Array> {
    let isFirst = true;
    for await (const part of body as AsyncIterable<Uint8Array>) {
      const copy = Uint8Array.from(part);
      if (isFirst && copy.length > 0) copy[0] ^= 1;
      isFirst &&= copy.length === 0;
      yield copy;
    }
  };
  return Readable.from(flipped()).once("close", () => body.destroy());
}

function isCounted(fault: FaultChoice, method: StoreMethod, type: FileType | undefined): boolean {
  const methods = fault.methods ?? (fault.fault === "flipped" ? ["load"] : undefined);
  if (methods !== undefined && !methods.includes(method)) return false;
  return fault.types === undefined || (type !== undefined && fault.types.includes(type));
}

function isDue(fault: ScriptedFault | RandomFault, count: number): boolean {
  if ("random" in fault) return fault.random() < fault.probability;
  return count >= fault.failAt && count < fault.failAt + (fault.times ?? 1);
}
