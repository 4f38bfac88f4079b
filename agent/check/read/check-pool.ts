/**
 * Where packs are verified: in threads, where a job goes to the next that is free or to the one that it asks for; or
 * right here, while there are none, because starting a thread takes longer than verifying a small repository.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { openCodec } from "../../../platform/open-codec.ts";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { masterKeyFromBytes } from "../../repository/crypto/master-key.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import { endThread, startThread } from "../../threads/ended-thread.ts";
import { BlobBits } from "../trees/blob-bits.ts";
import type {
  CheckAnswer,
  CheckMessage,
  WholeAnswer,
  WholeJob,
  WindowAnswer,
  WindowJob,
} from "./check-messages.ts";
import { PackVerifier } from "./pack-verifier.ts";

interface Waiting {
  readonly job: WholeJob | WindowJob;
  /** Number of the thread that must do it. */
  readonly thread: number | undefined;
  readonly resolve: (answer: CheckAnswer) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  current: Waiting | undefined;
}

export class CheckPool {
  readonly #threads: Thread[] = [];
  readonly #waiting: Waiting[] = [];
  /** Messages that a new thread must get first. */
  readonly #told: CheckMessage[] = [];
  #local: PackVerifier | undefined;
  #failure: Error | undefined;
  #isClosed = false;
  #streams = 0;

  get threads(): number {
    return this.#threads.length;
  }

  /** Starts threads until there are so many. They load their code while the caller does other things. No job may be under way. */
  growTo(threads: number): void {
    while (this.#threads.length < threads) {
      const worker = startThread(new URL("./check-worker.ts", import.meta.url));
      const thread: Thread = { worker, current: undefined };
      worker.on("message", (answer: CheckAnswer) => this.#take(thread, answer));
      worker.on("error", (error) => this.#fail(error));
      worker.on("exit", () => this.#fail(new Error("a thread of the check ended by itself")));
      this.#threads.push(thread);
      for (const message of this.#told) worker.postMessage(message);
    }
  }

  /** Gives what every job needs: the master key as bytes, and the table of all blobs. */
  start(masterKey: Uint8Array, table: BlobTable): void {
    this.#local = new PackVerifier(openCodec(), masterKeyFromBytes(masterKey), table);
    this.#tellAll({ kind: "start", masterKey, table: table.shared });
  }

  /** From now on, trees are looked at for these blobs, which can't be had. */
  lookForHurt(hurt: BlobBits): void {
    this.#local?.lookForHurt(new BlobBits(hurt.shared));
    this.#tellAll({ kind: "look for hurt", hurt: hurt.shared });
  }

  /** The memory of `job.bytes` goes away. Rejects with INTERNAL if a thread broke down, or with the reason of `close`. */
  async verifyWhole(job: WholeJob): Promise<WholeAnswer> {
    if (this.#threads.length === 0) return (await this.#here()).verifyWhole(job);
    return (await this.#run(job, undefined)) as WholeAnswer;
  }

  /** The same for a piece of a pack. */
  async verifyWindow(job: WindowJob): Promise<WindowAnswer> {
    if (this.#threads.length === 0) return (await this.#here()).verifyWindow(job);
    return (await this.#run(job, job.stream % this.#threads.length)) as WindowAnswer;
  }

  /** A number for the pieces of one more pack. */
  nextStream(): number {
    this.#streams += 1;
    return this.#streams;
  }

  /** Ends the threads, whatever they are at; jobs that are not done reject with `reason`. */
  async close(reason?: unknown): Promise<void> {
    this.#isClosed = true;
    const ended = new BackstayError("INTERNAL", { problem: "the check has ended" });
    // What a signal gives as its reason is an error by convention.
    this.#rejectAll((reason ?? ended) as Error);
    await Promise.all(this.#threads.map(({ worker }) => endThread(worker)));
  }

  async #here(): Promise<PackVerifier> {
    await nextTurn();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#local !== undefined) return this.#local;
    throw new BackstayError("INTERNAL", { problem: "job before start" });
  }

  #tellAll(message: CheckMessage): void {
    this.#told.push(message);
    for (const { worker } of this.#threads) worker.postMessage(message);
  }

  async #run(job: WholeJob | WindowJob, thread: number | undefined): Promise<CheckAnswer> {
    if (this.#failure !== undefined) throw this.#failure;
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ job, thread, resolve, reject });
      this.#feed();
    });
  }

  #feed(): void {
    for (const [number, thread] of this.#threads.entries()) {
      if (thread.current !== undefined) continue;
      const place = this.#waiting.findIndex((next) => (next.thread ?? number) === number);
      if (place < 0) continue;
      const [next] = this.#waiting.splice(place, 1);
      thread.current = next;
      thread.worker.postMessage(next.job, [next.job.bytes.buffer as ArrayBuffer]);
    }
  }

  #take(thread: Thread, answer: CheckAnswer): void {
    const done = thread.current;
    thread.current = undefined;
    done?.resolve(answer);
    this.#feed();
  }

  #fail(cause: unknown): void {
    if (this.#isClosed) return;
    const problem = cause instanceof Error ? cause.message : String(cause);
    this.#rejectAll(new BackstayError("INTERNAL", { problem }, cause));
  }

  #rejectAll(failure: Error): void {
    this.#failure ??= failure;
    for (const thread of this.#threads) {
      thread.current?.reject(this.#failure);
      thread.current = undefined;
    }
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
