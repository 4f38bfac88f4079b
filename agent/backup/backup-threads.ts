/** The threads of one backup: the scan and the sealing workers, with the ports between them. */
import { setTimeout as sleep } from "node:timers/promises";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { ScanDone, ScanIssue } from "./scan/scan-report.ts";
import type { PackMessage } from "./seal/pack-exchange.ts";
import type { FailedMessage } from "./threads/guard-thread.ts";
import { post } from "./threads/inbox.ts";

/** A thread as the main thread sees it. */
export interface BackupThread {
  readonly port: MessagePort;
  readonly wake: Int32Array;
  readonly worker: Worker;
}

/** Young generation of a thread's heap: these threads make little garbage. */
const youngMiBMax = 4;
/** Time for threads to end by themselves. */
const stopMs = 2000;

export interface ThreadSetup {
  readonly sealers: number;
  /** Data of the scan thread besides ports and wake counters. */
  readonly scan: object;
  /** Data of each sealing worker besides thread number, ports and wake counters. */
  readonly seal: object;
  /** A pack, an issue, or the end of the scan. */
  readonly onMessage: (message: WorkMessage) => void;
}

/** What threads send besides their own end. */
export type WorkMessage = PackMessage | ScanDone | ScanIssue;

/** A thread has done all its work. */
interface FinishedMessage {
  readonly kind: "finished";
  readonly thread: number;
}

export class BackupThreads {
  /** Thread 0 is the scan. */
  readonly threads: readonly BackupThread[];
  readonly #failure = Promise.withResolvers<never>();
  readonly #ended: readonly PromiseWithResolvers<void>[];
  #isEnding = false;

  constructor(setup: ThreadSetup) {
    this.#failure.promise.catch(() => undefined);
    this.#ended = Array.from({ length: setup.sealers + 1 }, () => Promise.withResolvers<void>());
    const wakes = Array.from({ length: setup.sealers + 1 }, () => new SharedArrayBuffer(4));
    const mainWake = new SharedArrayBuffer(4);
    const toMain = wakes.map(() => new MessageChannel());
    const toScan = wakes.slice(1).map(() => new MessageChannel());
    const start = (thread: number, file: URL, data: object, ports: MessagePort[]): Worker => {
      const worker = new Worker(file, {
        workerData: data,
        transferList: ports,
        resourceLimits: { maxYoungGenerationSizeMb: youngMiBMax },
        stdin: false,
      });
      worker.on("error", (error) => this.fail(brokenThread(error)));
      worker.on("exit", () => {
        this.#ended[thread].resolve();
        if (!this.#isEnding)
          this.fail(new BackstayError("INTERNAL", { problem: "a thread ended by itself" }));
      });
      return worker;
    };
    const scanPorts = toScan.map(({ port1 }) => port1);
    const scan = start(
      0,
      new URL("./scan/scan-worker.ts", import.meta.url),
      {
        ...setup.scan,
        wake: wakes[0],
        mainWake,
        mainPort: toMain[0].port2,
        workers: scanPorts.map((port, i) => ({ port, wake: wakes[i + 1] })),
      },
      [toMain[0].port2, ...scanPorts],
    );
    const sealers = toScan.map(({ port2 }, i) =>
      start(
        i + 1,
        new URL("./seal/seal-worker.ts", import.meta.url),
        {
          ...setup.seal,
          thread: i + 1,
          wake: wakes[i + 1],
          mainWake,
          mainPort: toMain[i + 1].port2,
          scanPort: port2,
          scanWake: wakes[0],
        },
        [toMain[i + 1].port2, port2],
      ),
    );
    this.threads = [scan, ...sealers].map((worker, i) => {
      const port = toMain[i].port1;
      port.on("message", (message: WorkMessage | FailedMessage | FinishedMessage) => {
        if (message.kind === "failed") this.fail(errorOf(message));
        if (message.kind === "failed" || message.kind === "finished")
          this.#ended[message.thread].resolve();
        else setup.onMessage(message);
      });
      return { port, wake: new Int32Array(wakes[i]), worker };
    });
  }

  /** Ends the session with `error`, unless it has failed already. */
  fail(error: unknown): void {
    this.#failure.reject(error);
  }

  /** `work`, or the first failure of any thread or of `fail`. */
  async orFail<T>(work: Promise<T>): Promise<T> {
    return await Promise.race([work, this.#failure.promise]);
  }

  /** Resolves when all threads from number `first` on have done or given up their work. */
  async ended(first: number): Promise<void> {
    await Promise.all(this.#ended.slice(first).map(({ promise }) => promise));
  }

  /** Tells every sealing worker that no more work will come. */
  finishSealing(): void {
    for (let i = 1; i < this.threads.length; i += 1) this.send(i, { kind: "finish" });
  }

  /** Sends a message to one thread. */
  send(thread: number, message: unknown): void {
    post(this.threads[thread], message);
  }

  /** Wakes every thread, so that it looks at the stop flag. */
  wakeAll(): void {
    for (const thread of this.threads) {
      Atomics.add(thread.wake, 0, 1);
      Atomics.notify(thread.wake, 0);
    }
  }

  /** Ends all threads: those that listen write down what they know, one that hangs in a system call is not waited for. */
  async end(): Promise<void> {
    this.wakeAll();
    await Promise.race([this.ended(0), sleep(stopMs, undefined, { ref: false })]);
    this.#isEnding = true;
    for (const { port } of this.threads) port.close();
    await Promise.all(this.threads.map(({ worker }) => worker.terminate()));
  }
}

/** A thread that could not start, or ran out of memory. */
function brokenThread(error: unknown): BackstayError {
  const problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new BackstayError("INTERNAL", { problem: problem.slice(0, 200) }, error);
}

/** The error that a thread sent, as one of this thread. */
function errorOf(failed: FailedMessage): Error {
  if (failed.code !== undefined) return new BackstayError(failed.code, failed.context);
  if (failed.name === "AbortError") return new DOMException(failed.message, "AbortError");
  const error = new BackstayError("INTERNAL", { problem: failed.message.slice(0, 200) });
  error.stack = failed.stack;
  return error;
}
