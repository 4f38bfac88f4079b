/** Counts the source beside a first backup, so that its progress knows how much there is. */
import type { Worker } from "node:worker_threads";
import { endThread, startThread } from "../../threads/ended-thread.ts";
import { SessionMemory } from "../work/session-memory.ts";
import type { CountedSource } from "./counted-source.ts";

export class SourceCount {
  readonly #memory = new SessionMemory(1);
  readonly #worker: Worker;
  #isDone = false;

  constructor(source: CountedSource) {
    this.#worker = startThread(new URL("./count-worker.ts", import.meta.url), {
      workerData: { ...source, memory: this.#memory.shared },
    });
    this.#worker.on("exit", (code) => {
      this.#isDone = code === 0;
    });
    // A count that fails leaves the total unknown; the scan reports what is wrong with the source.
    this.#worker.on("error", () => undefined);
    this.#worker.unref();
  }

  /** Known once the count is complete. */
  get totals(): { readonly files: number; readonly bytes: number } | undefined {
    if (!this.#isDone) return undefined;
    return { files: this.#memory.total("filesSeen"), bytes: this.#memory.total("bytesSeen") };
  }

  async stop(): Promise<void> {
    this.#memory.stop();
    await endThread(this.#worker);
  }
}
