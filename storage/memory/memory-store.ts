/** A store in this process's memory: for tests, and for what need not outlive the process. */
import { Readable } from "node:stream";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { byteWindow } from "../byte-window.ts";
import { assertFileType, assertHandle, assertLoad, assertRead } from "../handle-name.ts";
import {
  type ByteRange,
  type FileType,
  type Handle,
  handlePath,
  type ObjectStore,
  type StoreCapabilities,
  type StoredFile,
  type StreamedObject,
  type StreamedObjects,
} from "../object-store.ts";

/** Keeps copies of all bytes; needs no `create`. Two stores share nothing. */
export class MemoryStore implements ObjectStore {
  readonly location = "memory";
  readonly capabilities: StoreCapabilities = {
    connections: 4,
    atomicCreate: true,
    ownObjects: true,
  };
  /** Takes whole objects nevertheless: what is in memory in the end is no less. */
  readonly streamed: StreamedObjects = {
    receive: async (...parts) => await this.#receive(...parts),
    open: async (...parts) => await this.#open(...parts),
  };
  readonly #files = new Map<FileType, Map<string, Uint8Array>>();
  readonly #below = new Map<string, MemoryStore>();

  /** The same path is the same place. */
  below(path: string): MemoryStore {
    let place = this.#below.get(path);
    if (place === undefined) {
      place = new MemoryStore();
      this.#below.set(path, place);
    }
    return place;
  }

  async create(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }

  async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    signal.throwIfAborted();
    const files = this.#filesOf(handle.type);
    const present = files.get(handle.name);
    if (present === undefined) files.set(handle.name, Uint8Array.from(data));
    else if (Buffer.compare(present, data) !== 0)
      throw new BackstayError("STORE_EXISTS", { file: handlePath(handle) });
  }

  async load(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    assertLoad(handle, range, signal);
    const data = this.#filesOf(handle.type).get(handle.name);
    if (data === undefined)
      throw new BackstayError("STORE_NOT_FOUND", { file: handlePath(handle) });
    const window = byteWindow(handle, data.length, range);
    return data.slice(window.offset, window.offset + window.length);
  }

  async *list(type: FileType, signal: AbortSignal): AsyncIterable<StoredFile> {
    assertFileType(type);
    signal.throwIfAborted();
    if (type === "config") return;
    for (const [name, data] of [...this.#filesOf(type)]) {
      signal.throwIfAborted();
      yield { name, size: data.length };
    }
  }

  async stat(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    assertHandle(handle);
    signal.throwIfAborted();
    return this.#filesOf(handle.type).get(handle.name)?.length;
  }

  async remove(handle: Handle, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    signal.throwIfAborted();
    this.#filesOf(handle.type).delete(handle.name);
  }

  /** A save here is never partial, so there is nothing to remove. */
  async sweep(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    return 0;
  }

  async close(): Promise<void> {}

  async #receive(
    handle: Handle,
    sizeBytes: number,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<"created" | "exists"> {
    assertHandle(handle);
    signal.throwIfAborted();
    const files = this.#filesOf(handle.type);
    if (files.has(handle.name)) return "exists";
    const data = Buffer.concat(await Array.fromAsync(source));
    signal.throwIfAborted();
    if (data.length !== sizeBytes)
      throw new BackstayError("INTERNAL", { problem: "the source is not as long as it should be" });
    if (files.has(handle.name)) return "exists";
    files.set(handle.name, Uint8Array.from(data));
    return "created";
  }

  async #open(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<StreamedObject | undefined> {
    assertRead(handle, range, signal);
    const data = this.#filesOf(handle.type).get(handle.name);
    if (data === undefined) return undefined;
    const { offset, length } = byteWindow(handle, data.length, range);
    const body = Readable.from(length === 0 ? [] : [data.slice(offset, offset + length)]);
    return { sizeBytes: data.length, body };
  }

  #filesOf(type: FileType): Map<string, Uint8Array> {
    let files = this.#files.get(type);
    if (files === undefined) {
      files = new Map();
      this.#files.set(type, files);
    }
    return files;
  }
}
