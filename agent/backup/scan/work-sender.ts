/** Gathers files to read into work items and spreads them over the sealing workers, with a bound on what is under way. */
import { statRecordBytes } from "../../../platform/ports/stat-record.ts";
import { type Mailbox, post } from "../threads/inbox.ts";
import {
  type FileBatch,
  type FileRange,
  type ReadResult,
  type ReadWork,
  rangeBytes,
} from "../work/read-work.ts";
import type { DirectoryState } from "./directory-state.ts";

const batchFilesMax = 128;
const batchBytesMax = 8 * 1024 * 1024;
/** What opening a file costs, in bytes of reading. */
const fileCostBytes = 8 * 1024;
/** A worker gets more while it has fewer items than this, or less than this to do. */
const itemsPerWorker = 2;
const costPerWorker = 4 * 1024 * 1024;
/** An idle first worker is preferred: small runs then fill one pack instead of several. */
const firstWorkerCost = 512 * 1024;

/** A file of a work item. */
export interface SentFile {
  readonly state: DirectoryState;
  readonly index: number;
}

interface Sent {
  readonly files: readonly SentFile[];
  readonly range: FileRange | undefined;
  readonly cost: number;
}

/** A result with what it answers. */
export interface Answer {
  readonly result: ReadResult;
  readonly files: readonly SentFile[];
  /** Set for a part of a large file. */
  readonly range: FileRange | undefined;
}

export class WorkSender {
  readonly #workers: readonly Mailbox[];
  readonly #need: (worker: number) => void;
  readonly #awaitAnswer: () => void;
  readonly #sent = new Map<number, Sent>();
  readonly #needed = new Set<number>();
  readonly #items: Int32Array;
  readonly #costs: Float64Array;
  #batch: SentFile[] = [];
  #batchCost = 0;
  #nextId = 1;

  /** `need` is told before the first item for a worker; `awaitAnswer` blocks until an answer has been taken in with `take`. */
  constructor(
    workers: readonly Mailbox[],
    need: (worker: number) => void,
    awaitAnswer: () => void,
  ) {
    this.#workers = workers;
    this.#need = need;
    this.#awaitAnswer = awaitAnswer;
    this.#items = new Int32Array(workers.length);
    this.#costs = new Float64Array(workers.length);
  }

  /** True while answers are awaited. */
  get isBusy(): boolean {
    return this.#sent.size > 0;
  }

  /** Adds a file that goes as a whole; `size` in bytes. */
  addFile(state: DirectoryState, index: number, size: number): void {
    this.#batch.push({ state, index });
    this.#batchCost += size + fileCostBytes;
    if (this.#batch.length >= batchFilesMax || this.#batchCost >= batchBytesMax) this.flush();
  }

  /** Sends the range of a large file that begins at `start`. */
  addRange(state: DirectoryState, index: number, start: number, size: number): void {
    const at = index * statRecordBytes;
    const directory = state.directory;
    if (directory === undefined) return;
    const range: FileRange = {
      kind: "range",
      id: this.#nextId,
      directory: directory.token,
      name: state.nameOf(index).slice(),
      record: state.records.slice(at, at + statRecordBytes),
      start,
      end: start + rangeBytes,
      isLast: start + rangeBytes >= size,
    };
    const cost = Math.min(rangeBytes, size - start) + fileCostBytes;
    this.#send(range, [], { files: [{ state, index }], range, cost });
  }

  /** Sends the batch that is being gathered. */
  flush(): void {
    if (this.#batch.length === 0) return;
    const files = this.#batch;
    const cost = this.#batchCost;
    this.#batch = [];
    this.#batchCost = 0;
    const batch = encodeBatch(this.#nextId, files);
    const transfer = [batch.names.buffer, batch.offsets.buffer, batch.records.buffer];
    this.#send(batch, transfer as ArrayBuffer[], { files, range: undefined, cost });
  }

  /** Takes in a result. */
  take(result: ReadResult): Answer {
    const sent = this.#sent.get(result.id);
    if (sent === undefined) throw new Error("an answer to nothing");
    this.#sent.delete(result.id);
    this.#items[result.worker - 1] -= 1;
    this.#costs[result.worker - 1] -= sent.cost;
    return { result, files: sent.files, range: sent.range };
  }

  #send(work: ReadWork, transfer: ArrayBuffer[], sent: Sent): void {
    let worker = this.#idleWorker();
    while (worker < 0) {
      this.#awaitAnswer();
      worker = this.#idleWorker();
    }
    this.#nextId += 1;
    if (!this.#needed.has(worker)) {
      this.#needed.add(worker);
      this.#need(worker);
    }
    this.#sent.set(work.id, sent);
    this.#items[worker] += 1;
    this.#costs[worker] += sent.cost;
    post(this.#workers[worker], work, transfer);
  }

  #idleWorker(): number {
    if (this.#costs[0] < firstWorkerCost) return 0;
    let best = -1;
    for (let i = 0; i < this.#workers.length; i += 1) {
      const hasRoom = this.#items[i] < itemsPerWorker || this.#costs[i] < costPerWorker;
      if (hasRoom && (best < 0 || this.#costs[i] < this.#costs[best])) best = i;
    }
    return best;
  }
}

function encodeBatch(id: number, files: readonly SentFile[]): FileBatch {
  let nameBytes = 0;
  for (const { state, index } of files)
    nameBytes += state.offsets[index + 1] - state.offsets[index];
  const names = new Uint8Array(nameBytes);
  const offsets = new Uint32Array(files.length + 1);
  const records = new Uint8Array(files.length * statRecordBytes);
  const groups: { directory: FileBatch["groups"][number]["directory"]; count: number }[] = [];
  let last: DirectoryState | undefined;
  for (const [i, { state, index }] of files.entries()) {
    names.set(state.nameOf(index), offsets[i]);
    offsets[i + 1] = offsets[i] + state.offsets[index + 1] - state.offsets[index];
    const at = index * statRecordBytes;
    records.set(state.records.subarray(at, at + statRecordBytes), i * statRecordBytes);
    if (state !== last && state.directory !== undefined)
      groups.push({ directory: state.directory.token, count: 0 });
    groups[groups.length - 1].count += 1;
    last = state;
  }
  return { kind: "batch", id, groups, names, offsets, records };
}
