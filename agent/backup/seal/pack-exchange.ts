/**
 * The way of packs out of a sealing thread: a pack is filled, verified, handed to the main thread with
 * its memory, and other memory comes back as soon as there is some. So the session holds a bounded number
 * of packs, and sealing waits when the store is slow.
 */
import { openDurableFiles } from "../../../platform/open-durable-files.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import {
  type FinishedPack,
  type PackAssembler,
  packBufferBytes,
  packedBlobBytesMax,
} from "../../repository/pack/pack-assembler.ts";
import { type Mailbox, post } from "../threads/inbox.ts";
import { counterAt } from "../work/session-memory.ts";

/** Message to the main thread: a complete pack. */
export interface PackMessage {
  readonly kind: "pack";
  readonly thread: number;
  readonly pack: FinishedPack;
  readonly buffer: Uint8Array;
  /** False for the memory of one very large blob, for which none is wanted back. */
  readonly isReturned: boolean;
}

/** Message from the main thread: memory for the next pack. */
export interface BufferMessage {
  readonly kind: "buffer";
  readonly buffer: Uint8Array;
}

export class PackExchange {
  readonly #thread: number;
  readonly #main: Mailbox;
  readonly #assembler: PackAssembler;
  readonly #table: BlobTable;
  readonly #counters: Float64Array;
  readonly #files = openDurableFiles();
  readonly #waitForBuffer: () => Uint8Array;
  readonly #free: Uint8Array[] = [];
  #hasAllocated = false;
  #current: Uint8Array | undefined;

  /** `waitForBuffer` blocks until the main thread has sent a buffer back. */
  constructor(parts: {
    thread: number;
    main: Mailbox;
    assembler: PackAssembler;
    table: BlobTable;
    counters: Float64Array;
    waitForBuffer: () => Uint8Array;
  }) {
    this.#thread = parts.thread;
    this.#main = parts.main;
    this.#assembler = parts.assembler;
    this.#table = parts.table;
    this.#counters = parts.counters;
    this.#waitForBuffer = parts.waitForBuffer;
  }

  /** Memory that the main thread sent. */
  returnBuffer(buffer: Uint8Array): void {
    this.#free.push(buffer);
  }

  /** Stores the blob unless the repository or another thread has it. */
  store(
    src: Uint8Array,
    offset: number,
    length: number,
    ids: Uint8Array,
    idOffset: number,
    isTree: boolean,
  ): void {
    if (!this.#table.claim(ids, idOffset, isTree)) return;
    if (length > packedBlobBytesMax) {
      this.#storeAlone(src, offset, length, ids, idOffset, isTree);
      return;
    }
    if (!this.#assembler.isOpen) this.#assembler.begin(this.#takeBuffer());
    const stored = this.#assembler.add(src, offset, length, ids, idOffset, isTree);
    this.#count(isTree, length, stored);
    if (this.#assembler.isFull) this.#send(true);
  }

  /** Sends the pack that is being filled, if it holds anything. */
  flush(): void {
    if (this.#assembler.isOpen && !this.#assembler.isEmpty) this.#send(true);
  }

  /** A blob beyond the usual size gets a pack and memory of its own. */
  #storeAlone(
    src: Uint8Array,
    offset: number,
    length: number,
    ids: Uint8Array,
    idOffset: number,
    isTree: boolean,
  ): void {
    this.flush();
    // A buffer that was begun but holds nothing yet.
    const idle = this.#current;
    this.#current = this.#files.allocateAligned(length + (length >> 7) + 64 * 1024);
    this.#assembler.begin(this.#current);
    const stored = this.#assembler.add(src, offset, length, ids, idOffset, isTree);
    this.#count(isTree, length, stored);
    this.#send(false);
    if (idle !== undefined) this.#free.push(idle);
  }

  #takeBuffer(): Uint8Array {
    let buffer = this.#free.pop();
    if (buffer === undefined && !this.#hasAllocated) {
      this.#hasAllocated = true;
      buffer = this.#files.allocateAligned(packBufferBytes);
    }
    buffer ??= this.#waitForBuffer();
    this.#current = buffer;
    return buffer;
  }

  #send(isReturned: boolean): void {
    const buffer = this.#current;
    if (buffer === undefined) return;
    const pack = this.#assembler.finish();
    this.#current = undefined;
    const message: PackMessage = { kind: "pack", thread: this.#thread, pack, buffer, isReturned };
    post(this.#main, message, [buffer.buffer as ArrayBuffer]);
  }

  #count(isTree: boolean, plainBytes: number, storedBytes: number): void {
    const counters = this.#counters;
    counters[isTree ? counterAt.treeBlobs : counterAt.dataBlobs] += 1;
    counters[counterAt.bytesAdded] += plainBytes;
    counters[counterAt.bytesPacked] += storedBytes;
  }
}
