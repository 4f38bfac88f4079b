/**
 * Threads that can be ended whatever they are at. A native module that is cut off while a thread loads it takes the whole
 * process down, so one that is still loading is waited for.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker, type WorkerOptions, workerData } from "node:worker_threads";

/** A thread that has not loaded its code by then hangs. */
const loadMs = 20_000;

interface StartData {
  readonly given: unknown;
  readonly loaded: SharedArrayBuffer;
}

const loadedFlags = new WeakMap<Worker, Int32Array>();

/** Starts the thread of `file`, which must call `threadLoaded` after its imports. */
export function startThread(file: URL, options: WorkerOptions = {}): Worker {
  const loaded = new SharedArrayBuffer(4);
  const data: StartData = { given: options.workerData, loaded };
  const worker = new Worker(file, { ...options, workerData: data });
  loadedFlags.set(worker, new Int32Array(loaded));
  return worker;
}

/** On a thread of `startThread`, when its imports are done: it may be ended from now on. Returns its `workerData`. */
export function threadLoaded(): unknown {
  const { given, loaded } = workerData as StartData;
  const flag = new Int32Array(loaded);
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  return given;
}

/** Ends a thread of `startThread`; one that is loading ends as soon as it has loaded. Safe to call again. */
export async function endThread(worker: Worker): Promise<void> {
  const flag = loadedFlags.get(worker);
  if (flag !== undefined && worker.threadId !== -1) await loadedOrGone(worker, flag);
  await worker.terminate();
}

async function loadedOrGone(worker: Worker, flag: Int32Array): Promise<void> {
  const settled = new AbortController();
  const { signal } = settled;
  try {
    await Promise.race([
      Atomics.waitAsync(flag, 0, 0, loadMs).value,
      once(worker, "exit", { signal }),
      // The promise above keeps no process alive.
      sleep(loadMs, undefined, { signal }),
    ]);
  } catch {
    // An error on the thread: it ends.
  } finally {
    settled.abort();
  }
}
