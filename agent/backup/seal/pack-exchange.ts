/**
 * The way of packs out of a sealing thread: a pack is filled, verified, handed to the main thread with
 * its memory, and other memory comes back as soon as there is some. The memory is shared, because threads collect
 * garbage whenever memory of their own has come and gone. So the session holds a bounded number
 * of packs, and sealing waits when the store is slow.
 */
import { openDurableFiles } from "../../../platform/open-durable-files.ts";
import type { EncodedBytes } from "../../repository/encoded-bytes.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import {
  type FinishedPack,
  type PackAssembler,
  packBufferBytes,
  packBufferBytesFor,
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

/** Message from the main thread: memory for the next pack; undefined: a very large blob is stored. */
export interface BufferMessage {
  readonly kind: "buffer";
  readonly buffer: Uint8Array | undefined;
}

export class PackExchange {
  readonly #thread: number;
  readonly #main: Mailbox;
  readonly #assembler: PackAssembler;
  readonly #table: BlobTable;
  readonly #counters: Float64Array;
  readonly #files = openDurableFiles();
  readonly #awaitMemory: () => void;
  readonly #free: Uint8Array[] = [];
  #hasAllocated = false;
  #isLargeUnderWay = false;
  #current: Uint8Array | undefined;

  /** `awaitMemory` blocks until `returnBuffer` has been called once. */
  constructor(parts: {
    thread: number;
    main: Mailbox;
    assembler: PackAssembler;
    table: BlobTable;
    counters: Float64Array;
    awaitMemory: () => void;
  }) {
    this.#thread = parts.thread;
    this.#main = parts.main;
    this.#assembler = parts.assembler;
    this.#table = parts.table;
    this.#counters = parts.counters;
    this.#awaitMemory = parts.awaitMemory;
  }

  /** Memory that the main thread sent; undefined if a very large blob is stored. */
  returnBuffer(buffer: Uint8Array | undefined): void {
    if (buffer === undefined) this.#isLargeUnderWay = false;
    else this.#free.push(buffer);
  }

  /** Stores the blob, of at most `packedBlobBytesMax`, unless the repository or another thread has it. */
  store(
    src: Uint8Array,
    offset: number,
    length: number,
    ids: Uint8Array,
    idOffset: number,
    isTree: boolean,
  ): void {
    if (!this.#table.claim(ids, idOffset, isTree)) return;
    if (!this.#assembler.isOpen) this.#assembler.begin(this.#takeBuffer());
    const stored = this.#assembler.add(src, offset, length, ids, idOffset, isTree);
    this.#count(isTree, length, stored);
    if (this.#assembler.isFull) this.#send(true);
  }

  /** Begins a tree above `packedBlobBytesMax`. There is one at a time: waits until the one before is stored. */
  startLargeTree(): EncodedBytes {
    while (this.#isLargeUnderWay) this.#awaitMemory();
    return this.#assembler.startLargeTree();
  }

  /** Stores a finished tree, in a pack and memory of its own, unless the repository has it. */
  storeLargeTree(tree: EncodedBytes): void {
    if (!this.#table.claim(tree.id, 0, true)) return;
    this.flush();
    // A buffer that was begun but holds nothing yet.
    const idle = this.#current;
    this.#current = this.#files.allocateAligned(packBufferBytesFor(tree.encodedLength));
    this.#assembler.begin(this.#current);
    const stored = this.#assembler.addLargeTree(tree);
    this.#count(true, tree.plainLength, stored);
    this.#isLargeUnderWay = true;
    this.#send(false);
    if (idle !== undefined) this.#free.push(idle);
  }

  /** Sends the pack that is being filled, if it holds anything. */
  flush(): void {
    if (this.#assembler.isOpen && !this.#assembler.isEmpty) this.#send(true);
  }

  #takeBuffer(): Uint8Array {
    if (!this.#hasAllocated) {
      this.#hasAllocated = true;
      this.#free.push(this.#files.allocateAligned(packBufferBytes, true));
    }
    let buffer = this.#free.pop();
    for (; buffer === undefined; buffer = this.#free.pop()) this.#awaitMemory();
    this.#current = buffer;
    return buffer;
  }

  #send(isReturned: boolean): void {
    const buffer = this.#current;
    if (buffer === undefined) return;
    const pack = this.#assembler.finish();
    this.#current = undefined;
    const message: PackMessage = { kind: "pack", thread: this.#thread, pack, buffer, isReturned };
    post(this.#main, message, isReturned ? [] : [buffer.buffer as ArrayBuffer]);
  }

  #count(isTree: boolean, plainBytes: number, storedBytes: number): void {
    const counters = this.#counters;
    counters[isTree ? counterAt.treeBlobs : counterAt.dataBlobs] += 1;
    counters[counterAt.bytesAdded] += plainBytes;
    counters[counterAt.bytesPacked] += storedBytes;
  }
}
