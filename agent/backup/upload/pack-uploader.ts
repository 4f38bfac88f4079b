/**
 * Stores finished packs, several at once, and has them indexed. A pack is announced in the pack journal
 * before it is sent, so that a run after a crash knows where to look for packs without an index.
 */
import type { MessagePort } from "node:worker_threads";
import { openDurableFiles } from "../../../platform/open-durable-files.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import { idToHex } from "../../repository/id.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import type { IndexWriter } from "../../repository/index/index-writer.ts";
import { packBufferBytes } from "../../repository/pack/pack-assembler.ts";
import { decodeHeader } from "../../repository/pack/pack-header.ts";
import type { PackJournal } from "../journal/pack-journal.ts";
import type { PackMessage } from "../seal/pack-exchange.ts";
import { post } from "../threads/inbox.ts";

/** Packs in memory besides the one that each thread fills. */
const sparesMax = 4;

/** Where memory for packs goes to. */
export interface PackThread {
  readonly port: MessagePort;
  readonly wake: Int32Array;
}

export class PackUploader {
  readonly #store: ObjectStore;
  readonly #table: BlobTable;
  readonly #index: IndexWriter;
  readonly #journal: PackJournal | undefined;
  readonly #confirmed: Promise<void>;
  readonly #threads: readonly PackThread[];
  readonly #signal: AbortSignal;
  readonly #waiting: PackMessage[] = [];
  readonly #isDry: boolean;
  /** Memory of stored packs, for the next ones. */
  readonly #spares: Uint8Array[] = [];
  /** Threads that gave a pack away and have no memory for the next. */
  readonly #hungry: number[] = [];
  #sparesLeft: number;
  #running = 0;
  #indexing: Promise<void> = Promise.resolve();
  #error: Error | undefined;
  #onIdle: (() => void) | undefined;
  bytesStored = 0;
  packsStored = 0;

  constructor(parts: {
    store: ObjectStore;
    table: BlobTable;
    index: IndexWriter;
    journal: PackJournal | undefined;
    /** Resolves when packs may be stored. */
    confirmed: Promise<void>;
    threads: readonly PackThread[];
    isDry: boolean;
    signal: AbortSignal;
  }) {
    this.#store = parts.store;
    this.#table = parts.table;
    this.#index = parts.index;
    this.#journal = parts.journal;
    this.#confirmed = parts.confirmed;
    this.#threads = parts.threads;
    this.#isDry = parts.isDry;
    this.#signal = parts.signal;
    // Enough that all connections are busy when sealing waits for them; the scan, thread 0, seldom fills a pack.
    const sealers = parts.threads.length - 1;
    const wanted = parts.store.capabilities.connections - sealers;
    this.#sparesLeft = Math.max(1, Math.min(sparesMax, wanted));
  }

  /** Takes a pack; it is stored when its turn comes. `onFailed` is told of the first failure. */
  add(message: PackMessage, onFailed: (error: unknown) => void): void {
    this.#waiting.push(message);
    if (message.isReturned) this.#feed(message.thread);
    this.#startMore(onFailed);
  }

  /** Resolves when every pack taken so far is stored and indexed or noted; rejects with the first failure. */
  async drained(): Promise<void> {
    await this.settled();
    await this.#indexing;
    if (this.#error !== undefined) throw this.#error;
  }

  /** Resolves when no pack is being stored, whatever became of those that were. */
  async settled(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #startMore(onFailed: (error: unknown) => void): void {
    while (this.#running < this.#store.capabilities.connections && this.#error === undefined) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      this.#running += 1;
      this.#upload(message)
        .catch((error: unknown) => {
          this.#error ??= error instanceof Error ? error : new Error(String(error));
          this.#waiting.length = 0;
          onFailed(error);
        })
        .finally(() => {
          this.#running -= 1;
          this.#startMore(onFailed);
          if (this.#running === 0) this.#onIdle?.();
        });
    }
  }

  /** Sends memory to a thread now if there is any, else as soon as a pack is stored. */
  #feed(thread: number): void {
    let buffer = this.#spares.pop();
    if (buffer === undefined && this.#sparesLeft > 0) {
      this.#sparesLeft -= 1;
      buffer = openDurableFiles().allocateAligned(packBufferBytes, true);
    }
    if (buffer === undefined) this.#hungry.push(thread);
    else this.#send(thread, buffer);
  }

  #reuse(buffer: Uint8Array): void {
    const thread = this.#hungry.shift();
    if (thread === undefined) this.#spares.push(buffer);
    else this.#send(thread, buffer);
  }

  #send(thread: number, buffer: Uint8Array | undefined): void {
    post(this.#threads[thread], { kind: "buffer", buffer });
  }

  /** The memory of a very large blob is given back at once. */
  #letGo(thread: number, buffer: Uint8Array): void {
    (buffer.buffer as ArrayBuffer).transfer(0);
    this.#send(thread, undefined);
  }

  async #upload({ pack, buffer, thread, isReturned }: PackMessage): Promise<void> {
    const name = idToHex(pack.id);
    await this.#confirmed;
    if (!this.#isDry) {
      this.#journal?.announce(pack.id);
      const bytes = buffer.subarray(0, pack.length);
      await this.#store.save({ type: "data", name }, bytes, this.#signal);
    }
    this.bytesStored += pack.length;
    this.packsStored += 1;
    if (isReturned) this.#reuse(buffer);
    else this.#letGo(thread, buffer);
    if (this.#isDry) return;
    locatePack(this.#table, pack.id, pack.header);
    const entry = { id: pack.id, header: pack.header };
    this.#indexing = this.#indexing.then(() =>
      this.#index.add(entry, pack.blobs, performance.now(), this.#signal),
    );
    await this.#indexing;
  }
}

/** Enters the blobs of a stored pack in the table. */
export function locatePack(table: BlobTable, id: Uint8Array, header: Uint8Array): void {
  const pack = table.addPack(id);
  for (const blob of decodeHeader(header, idToHex(id)))
    table.setLocation(blob.id, 0, blob.isTree, { pack, ...locationOf(blob) });
}

function locationOf(blob: { offset: number; length: number; plainLength: number }): {
  offset: number;
  length: number;
  plainLength: number;
} {
  return { offset: blob.offset, length: blob.length, plainLength: blob.plainLength };
}
