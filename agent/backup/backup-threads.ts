/** The threads of one backup: the scan and the sealing workers, with the ports between them. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { BackstayError } from "../../protocol/backstay-error.ts";
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

export interface ThreadSetup {
  readonly sealers: number;
  /** Data of the scan thread besides ports and wake counters. */
  readonly scan: object;
  /** Data of each sealing worker besides thread number, ports and wake counters. */
  readonly seal: object;
  /** A message from any thread. */
  readonly onMessage: (message: unknown) => void;
  /** A thread ended with an error, or before its time. */
  readonly onDeath: (error: unknown) => void;
}

export class BackupThreads {
  /** Thread 0 is the scan. */
  readonly threads: readonly BackupThread[];
  #isEnding = false;

  constructor(setup: ThreadSetup) {
    const wakes = Array.from({ length: setup.sealers + 1 }, () => new SharedArrayBuffer(4));
    const mainWake = new SharedArrayBuffer(4);
    const toMain = wakes.map(() => new MessageChannel());
    const toScan = wakes.slice(1).map(() => new MessageChannel());
    const start = (file: URL, data: object, ports: MessagePort[]): Worker => {
      const worker = new Worker(file, {
        workerData: data,
        transferList: ports,
        resourceLimits: { maxYoungGenerationSizeMb: youngMiBMax },
        stdin: false,
      });
      worker.on("error", setup.onDeath);
      worker.on("exit", () => {
        if (!this.#isEnding)
          setup.onDeath(new BackstayError("INTERNAL", { problem: "a thread ended by itself" }));
      });
      return worker;
    };
    const scanPorts = toScan.map(({ port1 }) => port1);
    const scan = start(
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
      port.on("message", setup.onMessage);
      return { port, wake: new Int32Array(wakes[i]), worker };
    });
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

  /** Ends all threads, whatever they do. */
  async end(): Promise<void> {
    this.#isEnding = true;
    for (const { port } of this.threads) port.close();
    await Promise.all(this.threads.map(({ worker }) => worker.terminate()));
  }
}

/** The error that a thread sent, as one of this thread. */
export function errorOf(failed: FailedMessage): Error {
  if (failed.code !== undefined) return new BackstayError(failed.code, failed.context);
  if (failed.name === "AbortError") return new DOMException(failed.message, "AbortError");
  const error = new BackstayError("INTERNAL", { problem: failed.message.slice(0, 200) });
  error.stack = failed.stack;
  return error;
}
