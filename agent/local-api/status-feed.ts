/** Changes of the status for everybody who watches: put together once for all, not more often than is of use. */
import { setTimeout as sleep } from "node:timers/promises";
import type { StatusFacts } from "../../protocol/local-api/status.ts";
import type { DaemonView, Unsubscribe } from "./daemon-view.ts";

const intervalMs = 500;

export interface StatusWatcher {
  show(facts: StatusFacts): void;
  /** The daemon could not tell. */
  fail(error: unknown): void;
}

export class StatusFeed {
  readonly #view: DaemonView;
  readonly #watchers = new Set<StatusWatcher>();
  #unsubscribe: Unsubscribe | undefined;
  #isPending = false;
  #isWorking = false;

  constructor(view: DaemonView) {
    this.#view = view;
  }

  /** Tells of each change from now on, at most twice a second. */
  add(watcher: StatusWatcher): Unsubscribe {
    this.#watchers.add(watcher);
    this.#unsubscribe ??= this.#view.onStatusChange(() => this.refresh());
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size > 0) return;
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    };
  }

  /** Shows the status to all, though nothing told of a change: ages and delays change by themselves. */
  refresh(): void {
    this.#isPending = true;
    if (!this.#isWorking) void this.#work();
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    while (this.#isPending && this.#watchers.size > 0) {
      this.#isPending = false;
      await this.#tellAll();
      await sleep(intervalMs, undefined, { ref: false });
    }
    this.#isWorking = false;
  }

  async #tellAll(): Promise<void> {
    try {
      const facts = await this.#view.status();
      for (const watcher of [...this.#watchers]) watcher.show(facts);
    } catch (error) {
      for (const watcher of [...this.#watchers]) watcher.fail(error);
    }
  }
}
