/** The threads of one backup: the scan and the sealing workers, with the ports between them. */
import { setTimeout as sleep } from "node:timers/promises";
import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { EntriesMessage } from "./scan/entry-notes.ts";
import type { ScanDone, ScanIssue, ScanOmission } from "./scan/scan-report.ts";
import type { PackMessage } from "./seal/pack-exchange.ts";
import type { FailedMessage } from "./threads/guard-thread.ts";
import { post } from "./threads/inbox.ts";
import type { StartedThreads } from "./threads/started-threads.ts";

/** A thread as the main thread sees it. */
export interface BackupThread {
  readonly port: MessagePort;
  readonly wake: Int32Array;
}

/** Time for threads to end by themselves. */
const stopMs = 2000;

export interface ThreadSetup {
  readonly started: StartedThreads;
  /** True if every sealing worker will have work; else each is started when it is needed. */
  readonly needsAll: boolean;
  /** Data of the scan thread besides ports and wake counters. */
  readonly scan: object;
  /** Data of each sealing worker besides thread number, ports and wake counters. */
  readonly seal: object;
  /** A pack, something to be told, or the end of the scan. */
  readonly onMessage: (message: WorkMessage) => void;
}

/** What threads send besides their own end. */
export type WorkMessage = PackMessage | ScanDone | ScanIssue | ScanOmission | EntriesMessage;

/** A thread has done all its work. */
interface FinishedMessage {
  readonly kind: "finished";
  readonly thread: number;
}

/** The scan has work for a sealing worker that may not have been started. */
interface NeededMessage {
  readonly kind: "needed";
  readonly thread: number;
}

type ThreadMessage = FailedMessage | FinishedMessage | NeededMessage;

export class BackupThreads {
  /** Thread 0 is the scan. */
  readonly threads: readonly BackupThread[];
  readonly #failure = Promise.withResolvers<never>();
  readonly #ended: readonly PromiseWithResolvers<void>[];
  /** Starts the sealing workers that were not needed so far, by number of the thread. */
  readonly #unneeded = new Map<number, () => void>();
  readonly #started: StartedThreads;

  constructor(setup: ThreadSetup) {
    this.#failure.promise.catch(() => undefined);
    this.#started = setup.started;
    const { started } = setup;
    started.broken.catch((error: unknown) => this.fail(error));
    const toScan = Array.from({ length: started.sealers }, () => new MessageChannel());
    const toMain = [undefined, ...toScan].map(() => new MessageChannel());
    const wakes = toMain.map(() => new SharedArrayBuffer(4));
    const mainWake = new SharedArrayBuffer(4);
    this.#ended = toMain.map(() => Promise.withResolvers<void>());
    const begin = (thread: number, worker: Worker, data: object, ports: MessagePort[]): void => {
      const { port2: mainPort } = toMain[thread];
      worker.on("exit", () => this.#ended[thread].resolve());
      const given = { ...data, wake: wakes[thread], mainWake, mainPort };
      worker.postMessage(given, [mainPort, ...ports]);
    };
    const scanPorts = toScan.map(({ port1 }) => port1);
    const workers = scanPorts.map((port, i) => ({ port, wake: wakes[i + 1] }));
    begin(0, started.scan, { ...setup.scan, workers }, scanPorts);
    for (const [i, { port2: scanPort }] of toScan.entries()) {
      const data = { ...setup.seal, thread: i + 1, scanPort, scanWake: wakes[0] };
      const start = (): void => begin(i + 1, started.startSealer(), data, [scanPort]);
      if (setup.needsAll) start();
      else this.#unneeded.set(i + 1, start);
    }
    this.threads = toMain.map(({ port1: port }, i) => {
      port.on("message", (message: WorkMessage | ThreadMessage) => {
        if (message.kind === "failed") this.fail(errorOf(message));
        if (message.kind === "needed") this.#need(message.thread);
        else if (message.kind === "failed" || message.kind === "finished")
          this.#ended[message.thread].resolve();
        else setup.onMessage(message);
      });
      return { port, wake: new Int32Array(wakes[i]) };
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
    this.#giveUpUnneeded();
    for (let i = 1; i < this.threads.length; i += 1) this.send(i, { kind: "finish" });
  }

  #need(thread: number): void {
    this.#unneeded.get(thread)?.();
    this.#unneeded.delete(thread);
  }

  /** Workers that were never started have ended. */
  #giveUpUnneeded(): void {
    for (const thread of this.#unneeded.keys()) this.#ended[thread].resolve();
    this.#unneeded.clear();
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
    this.#giveUpUnneeded();
    this.wakeAll();
    await Promise.race([this.ended(0), sleep(stopMs, undefined, { ref: false })]);
    for (const { port } of this.threads) port.close();
    await this.#started.end();
  }
}

/** The error that a thread sent, as one of this thread. */
function errorOf(failed: FailedMessage): Error {
  if (failed.code !== undefined) return new BackstayError(failed.code, failed.context);
  if (failed.name === "AbortError") return new DOMException(failed.message, "AbortError");
  const error = new BackstayError("INTERNAL", { problem: failed.message.slice(0, 200) });
  error.stack = failed.stack;
  return error;
}
