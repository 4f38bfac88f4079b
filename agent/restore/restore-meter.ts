/** Adds up what the workers have done and tells it, a few times a second. */
import type { RestorePlan } from "./plan/restore-plan.ts";
import { showPath } from "./restore-issues.ts";
import type { RestorePhase, RestoreProgress } from "./restore-progress.ts";
import { counterBytes, WorkCounters } from "./write/work-context.ts";

const intervalMs = 200;

export class RestoreMeter {
  readonly memory: SharedArrayBuffer;
  readonly #workers: WorkCounters[];
  readonly #progress: RestoreProgress;
  readonly #plan: RestorePlan;
  #phase: RestorePhase = "plan";
  #entriesTotal = 0;
  #bytesTotal = 0;
  /** Done before the phase began, or by the main thread. */
  #entriesBase = 0;
  #bytesBase = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(plan: RestorePlan, workers: number, progress: RestoreProgress) {
    this.memory = new SharedArrayBuffer(workers * counterBytes);
    this.#workers = Array.from({ length: workers }, (_, i) => new WorkCounters(this.memory, i));
    this.#plan = plan;
    this.#progress = progress;
  }

  /** Begins to tell. */
  start(): void {
    if (this.#progress.counts === undefined) return;
    this.#timer = setInterval(() => this.tell(), intervalMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.tell();
  }

  setTotals(entries: number, bytes: number): void {
    this.#entriesTotal = entries;
    this.#bytesTotal = bytes;
  }

  /** `verify` counts from 0 again. */
  enter(phase: RestorePhase): void {
    this.tell();
    this.#phase = phase;
    if (phase === "verify") {
      this.#entriesBase = -this.#sum("entries");
      this.#bytesBase = -this.#sum("bytes");
    }
    this.tell();
  }

  /** Counts an entry that the main thread has settled. */
  addEntry(): void {
    this.#entriesBase += 1;
  }

  get bytes(): number {
    return this.#sum("bytes");
  }

  get skippedBytes(): number {
    return this.#sum("skippedBytes");
  }

  tell(): void {
    this.#progress.counts?.({
      phase: this.#phase,
      entriesTotal: this.#entriesTotal,
      entriesDone: this.#entriesBase + this.#sum("entries"),
      bytesTotal: this.#bytesTotal,
      bytesDone: this.#bytesBase + this.#sum("bytes"),
      bytesSkipped: this.#sum("skippedBytes"),
      current: this.#current(),
    });
  }

  #sum(counter: "entries" | "bytes" | "skippedBytes"): number {
    return this.#workers.reduce((sum, worker) => sum + worker[counter], 0);
  }

  #current(): string | undefined {
    const row = this.#workers.find((worker) => worker.row > 0)?.row;
    return row === undefined ? undefined : showPath(this.#plan.pathOf(row));
  }
}
