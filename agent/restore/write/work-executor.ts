/** Who does the jobs of a restore: threads, or for little work the main thread itself. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Transferable } from "node:worker_threads";
import type { Codec } from "../../../platform/ports/codec.ts";
import type { TargetFiles } from "../../../platform/ports/target-files.ts";
import { RestoreWork } from "./restore-work.ts";
import type { WorkAnswer, WorkJob, WorkStart } from "./work-messages.ts";

export interface WorkExecutor {
  /** How many jobs are done at once. */
  readonly threads: number;
  /** Tells all workers what they work on; before any job. */
  start(makeStart: (worker: number) => WorkStart): void;
  /** Resolves with the answer of whichever worker did the job. INTERNAL if a thread broke down. */
  run(job: WorkJob, transfer?: Transferable[]): Promise<WorkAnswer>;
  /** Every worker does the job; none may be at work. */
  runOnAll(job: WorkJob): Promise<WorkAnswer[]>;
  /** Ends the workers; jobs that wait are never done. */
  close(): Promise<void>;
}

/** Does each job at once in this thread: starting others would take longer than a small restore. */
export class OwnThread implements WorkExecutor {
  readonly threads = 1;
  readonly #files: TargetFiles;
  readonly #codec: Codec;
  #work: RestoreWork | undefined;

  constructor(files: TargetFiles, codec: Codec) {
    this.#files = files;
    this.#codec = codec;
  }

  start(makeStart: (worker: number) => WorkStart): void {
    this.#work = new RestoreWork(makeStart(0), this.#files, this.#codec);
  }

  async run(job: WorkJob): Promise<WorkAnswer> {
    await nextTurn();
    if (this.#work === undefined) throw new Error("a job before the start");
    return this.#work.run(job);
  }

  async runOnAll(job: WorkJob): Promise<WorkAnswer[]> {
    return [await this.run(job)];
  }

  close(): Promise<void> {
    this.#work?.close();
    return Promise.resolve();
  }
}
