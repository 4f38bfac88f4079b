/**
 * Memory that all threads of a backup share: counters with one writer each, the stop flag, and the names
 * of the files being read.
 */

/** Counters of one thread, as f64. */
export const counterAt = {
  filesDone: 0,
  bytesDone: 1,
  bytesRead: 2,
  dataBlobs: 3,
  treeBlobs: 4,
  bytesAdded: 5,
  bytesPacked: 6,
  filesSeen: 7,
  bytesSeen: 8,
} as const;
const countersPerThread = 16;
const nameBytesMax = 1022;
const nameSlotBytes = nameBytesMax + 2;

export type Counter = keyof typeof counterAt;

export class SessionMemory {
  readonly shared: SharedArrayBuffer;
  readonly #threads: number;
  readonly #stop: Int32Array;

  constructor(threads: number, shared?: SharedArrayBuffer) {
    const bytes = 8 + threads * (countersPerThread * 8 + nameSlotBytes);
    this.shared = shared ?? new SharedArrayBuffer(Math.ceil(bytes / 8) * 8);
    this.#threads = threads;
    this.#stop = new Int32Array(this.shared, 0, 1);
  }

  /** Asks every thread to stop at its next step. */
  stop(): void {
    Atomics.store(this.#stop, 0, 1);
  }

  /** Throws an AbortError once the session is to stop. */
  assertRunning(): void {
    if (Atomics.load(this.#stop, 0) !== 0) throw new DOMException("stopped", "AbortError");
  }

  /** Counters of one thread; only that thread writes them. */
  counters(thread: number): Float64Array {
    return new Float64Array(this.shared, 8 + thread * countersPerThread * 8, countersPerThread);
  }

  /** Sum of a counter over all threads. */
  total(counter: Counter): number {
    let sum = 0;
    for (let i = 0; i < this.#threads; i += 1) sum += this.counters(i)[counterAt[counter]];
    return sum;
  }

  /** Notes what a thread is reading. */
  setCurrent(thread: number, directory: Uint8Array, name: Uint8Array): void {
    const slot = this.#slot(thread);
    const room = nameBytesMax - 1;
    const head = directory.subarray(0, room);
    const tail = name.subarray(0, room - head.length);
    slot.set(head, 2);
    slot[2 + head.length] = 0x2f;
    slot.set(tail, 3 + head.length);
    const length = head.length + 1 + tail.length;
    slot[0] = length & 0xff;
    slot[1] = length >> 8;
  }

  /** What the threads are reading, as text. May be torn: it is for eyes only. */
  currentFiles(): string[] {
    const names: string[] = [];
    for (let thread = 0; thread < this.#threads; thread += 1) {
      const slot = this.#slot(thread);
      const length = Math.min(slot[0] + (slot[1] << 8), nameBytesMax);
      if (length > 0) names.push(Buffer.from(slot.slice(2, 2 + length)).toString("utf8"));
    }
    return names;
  }

  #slot(thread: number): Uint8Array {
    const start = 8 + this.#threads * countersPerThread * 8 + thread * nameSlotBytes;
    return new Uint8Array(this.shared, start, nameSlotBytes);
  }
}
