/** A store in this process's memory: for tests, and for what need not outlive the process. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { byteWindow } from "../byte-window.ts";
import { assertFileType, assertHandle, assertRange } from "../handle-name.ts";
import {
  type ByteRange,
  type FileType,
  type Handle,
  handlePath,
  type ObjectStore,
  type StoreCapabilities,
  type StoredFile,
} from "../object-store.ts";

/** Keeps copies of all bytes; needs no `create`. Two stores share nothing. */
export class MemoryStore implements ObjectStore {
  readonly location = "memory";
  readonly capabilities: StoreCapabilities = {
    connections: 4,
    atomicCreate: true,
    ownObjects: true,
  };
  readonly #files = new Map<FileType, Map<string, Uint8Array>>();

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
    assertHandle(handle);
    assertRange(range);
    signal.throwIfAborted();
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

  #filesOf(type: FileType): Map<string, Uint8Array> {
    let files = this.#files.get(type);
    if (files === undefined) {
      files = new Map();
      this.#files.set(type, files);
    }
    return files;
  }
}
