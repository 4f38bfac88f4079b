/** Threads of a backup that load their code while the repository is being opened, and wait to be told what to do. */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { openCodec } from "../../../platform/open-codec.ts";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { endThread, startThread } from "../../threads/ended-thread.ts";

/** More sealing workers would take more memory than they are worth. */
const sealersMax = 8;
/** Young generation of a thread's heap: these threads make little garbage. */
const youngMiBMax = 4;

export class StartedThreads {
  /** How many sealing workers there may be. */
  readonly sealers: number;
  readonly scan: Worker;
  readonly #workers: Worker[] = [];
  readonly #broken = Promise.withResolvers<never>();
  #isEnding = false;

  /**
   * Starts the scan, which has work in every session. There may be one sealing worker a core, more if more readers
   * are asked for.
   */
  constructor(readers = 0) {
    this.#broken.promise.catch(() => undefined);
    this.sealers = Math.max(1, Math.min(sealersMax, Math.max(availableParallelism(), readers)));
    // Proves the codec for the threads too.
    openCodec();
    this.scan = this.#start(new URL("../scan/scan-worker.ts", import.meta.url));
  }

  startSealer(): Worker {
    return this.#start(new URL("../seal/seal-worker.ts", import.meta.url));
  }

  /** Rejects with INTERNAL if a thread could not start, ran out of memory, or ended by itself. */
  get broken(): Promise<never> {
    return this.#broken.promise;
  }

  /** Ends them, whatever they do. Safe to call again. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#workers.map(endThread));
  }

  #start(file: URL): Worker {
    const worker = startThread(file, {
      resourceLimits: { maxYoungGenerationSizeMb: youngMiBMax },
      stdin: false,
    });
    worker.on("error", (error) => this.#broken.reject(brokenThread(error)));
    worker.on("exit", () => {
      if (!this.#isEnding)
        this.#broken.reject(new BackstayError("INTERNAL", { problem: "a thread ended by itself" }));
    });
    this.#workers.push(worker);
    return worker;
  }
}

function brokenThread(error: unknown): BackstayError {
  const problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new BackstayError("INTERNAL", { problem: problem.slice(0, 200) }, error);
}
