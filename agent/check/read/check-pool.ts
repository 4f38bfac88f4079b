/** The threads that verify packs: a job goes to the next thread that is free, or to the one that it asks for. */
import { Worker } from "node:worker_threads";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import type {
  CheckAnswer,
  CheckMessage,
  WholeAnswer,
  WholeJob,
  WindowAnswer,
  WindowJob,
} from "./check-messages.ts";

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
  #failure: unknown;
  #isClosed = false;
  #streams = 0;

  /** Starts the threads, which load their code while the main thread reads the index. */
  constructor(threads: number) {
    for (let i = 0; i < threads; i += 1) {
      const worker = new Worker(new URL("./check-worker.ts", import.meta.url));
      const thread: Thread = { worker, current: undefined };
      worker.on("message", (answer: CheckAnswer) => this.#take(thread, answer));
      worker.on("error", (error) => this.#fail(error));
      worker.on("exit", () => this.#fail(new Error("a thread of the check ended by itself")));
      this.#threads.push(thread);
    }
  }

  get size(): number {
    return this.#threads.length;
  }

  /** Tells every thread something that needs no answer. */
  tellAll(message: CheckMessage): void {
    for (const { worker } of this.#threads) worker.postMessage(message);
  }

  /** The memory of `job.bytes` goes away. Rejects with INTERNAL if a thread broke down, or with the reason of `close`. */
  async verifyWhole(job: WholeJob): Promise<WholeAnswer> {
    return (await this.#run(job, undefined)) as WholeAnswer;
  }

  /** The same for a piece of a pack. */
  async verifyWindow(job: WindowJob): Promise<WindowAnswer> {
    return (await this.#run(job, job.stream % this.size)) as WindowAnswer;
  }

  /** A number for the pieces of one more pack. */
  nextStream(): number {
    this.#streams += 1;
    return this.#streams;
  }

  /** Ends the threads, whatever they are at; jobs that are not done reject with `reason`. */
  async close(reason?: unknown): Promise<void> {
    this.#isClosed = true;
    this.#rejectAll(reason ?? new BackstayError("INTERNAL", { problem: "the check has ended" }));
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
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

  #rejectAll(failure: unknown): void {
    this.#failure ??= failure;
    for (const thread of this.#threads) {
      thread.current?.reject(this.#failure);
      thread.current = undefined;
    }
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
