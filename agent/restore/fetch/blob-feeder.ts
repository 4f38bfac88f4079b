/**
 * Fetches the ranges of packs that a restore needs, each once, and hands them to the workers. What turns out to be
 * damaged is asked for a second time, blob by blob: a bad cable must not cost a file, and another pack may hold it, too.
 */
import { type BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../../protocol/error-catalog.ts";
import { ByteBudget } from "../../../storage/byte-budget.ts";
import type { Repository } from "../../repository/repository.ts";
import type { RestorePlan } from "../plan/restore-plan.ts";
import type { WorkAnswer, WorkJob } from "../write/work-messages.ts";
import { type PackRange, packRanges } from "./pack-ranges.ts";

export interface FeedRequest {
  readonly repository: Repository;
  readonly plan: RestorePlan;
  /** As from `orderRefs`. */
  readonly order: Uint32Array;
  /** Bytes that are being fetched or wait for a worker, together. */
  readonly bytesInFlightMax: number;
  /** Most bytes of one request. */
  readonly rangeBytesMax: number;
  readonly run: (job: WorkJob, transfer: ArrayBuffer[]) => Promise<WorkAnswer>;
  readonly signal: AbortSignal;
}

/** Resolves when every wanted blob is written or has been declared lost. Rejects when aborted, or if the store is out of reach. */
export async function feedBlobs(request: FeedRequest): Promise<void> {
  await new BlobFeeder(request).feed();
}

class BlobFeeder {
  readonly #request: FeedRequest;
  readonly #budget: ByteBudget;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #running = new Set<Promise<void>>();

  constructor(request: FeedRequest) {
    this.#request = request;
    this.#budget = new ByteBudget(request.bytesInFlightMax);
    this.#signal = AbortSignal.any([request.signal, this.#stop.signal]);
  }

  async feed(): Promise<void> {
    const { order, plan, repository, rangeBytesMax, bytesInFlightMax } = this.#request;
    const longest = Math.min(rangeBytesMax, bytesInFlightMax);
    try {
      for (const range of packRanges(order, plan, repository.blobs, longest)) {
        await this.#budget.take(range.length, this.#signal);
        const task = this.#process(range).catch((error: unknown) => {
          this.#stop.abort(error);
        });
        this.#running.add(task);
        void task.finally(() => {
          this.#running.delete(task);
          this.#budget.give(range.length);
        });
      }
    } finally {
      await Promise.all(this.#running);
    }
    this.#signal.throwIfAborted();
  }

  async #process(range: PackRange): Promise<void> {
    const { repository, run } = this.#request;
    const name = repository.blobs.packId(range.pack);
    const { offset, length, from, to } = range;
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      const handle = { type: "data", name } as const;
      bytes = ownBytes(await repository.store.load(handle, { offset, length }, this.#signal));
    } catch (error) {
      if (!isLoss(error)) throw error;
      // A pack that is too short may still hold some of them, and others may hold all.
      for (const [first, end] of this.#blobsOf(range)) await this.#retry(first, end, name);
      return;
    }
    const job = { kind: "sealed-blobs", bytes, packOffset: offset, from, to } as const;
    const { unopened } = await run(job, [bytes.buffer]);
    for (let i = 0; i < unopened.length; i += 2)
      await this.#retry(unopened[i], unopened[i + 1], name);
  }

  /** Places of one blob after the other. */
  *#blobsOf(range: PackRange): Generator<[number, number]> {
    const { order, plan } = this.#request;
    for (let from = range.from; from < range.to; ) {
      const entry = plan.entryOf(order[from]);
      let to = from + 1;
      while (to < range.to && plan.entryOf(order[to]) === entry) to += 1;
      yield [from, to];
      from = to;
    }
  }

  async #retry(from: number, to: number, pack: string): Promise<void> {
    const { repository, plan, order, run } = this.#request;
    const id = new Uint8Array(32);
    repository.blobs.copyId(plan.entryOf(order[from]), id, 0);
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = ownBytes(await repository.loadBlob(id, this.#signal));
    } catch (error) {
      await this.#lose(from, to, lossReason(error, pack));
      return;
    }
    await run({ kind: "plain-blob", bytes, from, to }, [bytes.buffer]);
  }

  async #lose(from: number, to: number, reason: string): Promise<void> {
    await this.#request.run({ kind: "lost-blobs", from, to, reason }, []);
  }
}

/** True if the error is about what was asked for, and not about the store as a whole. */
function isLoss(error: unknown): error is BackstayError {
  return isBackstayError(error) && error.kind === "permanent";
}

/** What to tell people; errors that are not about this pack are thrown on. */
function lossReason(error: unknown, pack: string): string {
  if (!isLoss(error)) throw error;
  const problems: Partial<Record<ErrorCode, string>> = {
    STORE_NOT_FOUND: "is missing",
    STORE_RANGE: "is cut off",
    STORE_DENIED: "may not be read",
    STORE_ARCHIVED: "lies in an archive",
  };
  return `pack ${pack.slice(0, 8)} ${problems[error.code] ?? "is damaged"}`;
}

/** The bytes in a buffer of their own, which can be given to another thread. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
  return isOwn ? new Uint8Array(buffer) : new Uint8Array(bytes);
}
