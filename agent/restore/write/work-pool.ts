/** The threads of a restore: each job goes to the next thread that is free. */
import { once } from "node:events";
import { type Transferable, Worker } from "node:worker_threads";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import type { WorkExecutor } from "./work-executor.ts";
import type { WorkAnswer, WorkJob, WorkStart } from "./work-messages.ts";

/** How long threads may take to end what they are at. */
const closeMs = 10_000;

/** What workers allocate in JavaScript is small and soon forgotten; each keeps at least this much of it. */
const youngMemoryMb = 4;

interface Waiting {
  readonly job: WorkJob;
  readonly transfer: Transferable[];
  readonly resolve: (answer: WorkAnswer) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  current: Waiting | undefined;
}

export class WorkPool implements WorkExecutor {
  readonly #threads: Thread[] = [];
  readonly #waiting: Waiting[] = [];
  #failure: BackstayError | undefined;
  #isClosing = false;

  /** Starts the threads, so that they load their code while the restore is planned. */
  constructor(threads: number) {
    for (let i = 0; i < threads; i += 1) {
      const worker = new Worker(new URL("./restore-worker.ts", import.meta.url), {
        resourceLimits: { maxYoungGenerationSizeMb: youngMemoryMb },
      });
      const thread: Thread = { worker, current: undefined };
      worker.on("message", (answer: WorkAnswer) => this.#take(thread, answer));
      worker.on("error", (error) => this.#fail(error));
      worker.on("exit", () => {
        if (!this.#isClosing) this.#fail(new Error("a restore thread ended by itself"));
      });
      worker.unref();
      this.#threads.push(thread);
    }
  }

  get threads(): number {
    return this.#threads.length;
  }

  start(makeStart: (worker: number) => WorkStart): void {
    for (const [number, { worker }] of this.#threads.entries())
      worker.postMessage({ kind: "start", start: makeStart(number) });
  }

  async run(job: WorkJob, transfer: Transferable[] = []): Promise<WorkAnswer> {
    if (this.#failure !== undefined) throw this.#failure;
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ job, transfer, resolve, reject });
      this.#feed();
    });
  }

  async runOnAll(job: WorkJob): Promise<WorkAnswer[]> {
    return await Promise.all(this.#threads.map(() => this.run(job)));
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(
      this.#threads.map(async ({ worker }) => {
        const ended = once(worker, "exit").catch(() => undefined);
        worker.postMessage("close");
        const limit = setTimeout(() => void worker.terminate(), closeMs);
        worker.ref();
        await ended;
        clearTimeout(limit);
      }),
    );
  }

  #feed(): void {
    for (const thread of this.#threads) {
      if (thread.current !== undefined) continue;
      const next = this.#waiting.shift();
      if (next === undefined) return;
      thread.current = next;
      thread.worker.ref();
      thread.worker.postMessage(next.job, next.transfer);
    }
  }

  #take(thread: Thread, answer: WorkAnswer): void {
    const done = thread.current;
    thread.current = undefined;
    thread.worker.unref();
    done?.resolve(answer);
    this.#feed();
  }

  #fail(cause: unknown): void {
    const problem = cause instanceof Error ? cause.message : String(cause);
    this.#failure ??= new BackstayError("INTERNAL", { problem }, cause);
    for (const thread of this.#threads) {
      thread.current?.reject(this.#failure);
      thread.current = undefined;
    }
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
