/** What a machine of a swarm remembers of commands and reports: as agent/state keeps it, but in memory. */
import type { CommandStore, ReportStore, StoredCommand } from "../../agent/state/state.ts";
import { isFinalCommandState } from "../../protocol/control/command.ts";
import type { Report } from "../../protocol/control/reports.ts";

export class MemoryCommands implements CommandStore {
  readonly #commands = new Map<string, StoredCommand>();

  put(command: StoredCommand): void {
    this.#commands.set(command.document.id, command);
  }

  get(id: string): StoredCommand | undefined {
    return this.#commands.get(id);
  }

  unfinished(): readonly StoredCommand[] {
    return [...this.#commands.values()].filter(
      ({ progress }) => !isFinalCommandState(progress.state),
    );
  }

  untold(): readonly StoredCommand[] {
    return [...this.#commands.values()].filter(({ isTold }) => !isTold);
  }

  toldSince(sinceMs: number): readonly StoredCommand[] {
    return [...this.#commands.values()].filter(
      ({ isTold, progress }) => isTold && progress.timeMs >= sinceMs,
    );
  }
}

export class MemoryReports implements ReportStore {
  /** In the order in which they were added. */
  readonly #reports = new Map<string, { readonly report: Report; deliveredMs?: number }>();
  #heededMs = 0;

  add(report: Report): boolean {
    if (this.#reports.has(report.id)) return false;
    this.#reports.set(report.id, { report });
    return true;
  }

  next(limit: number): readonly Report[] {
    return this.#waiting().slice(0, limit);
  }

  delivered(ids: readonly string[], atMs: number): void {
    for (const id of ids) {
      const known = this.#reports.get(id);
      if (known !== undefined) known.deliveredMs = atMs;
    }
  }

  waiting(): number {
    return this.#waiting().length;
  }

  lost(): undefined {
    return undefined;
  }

  confess(): void {
    // There is room for everything.
  }

  heededMs(): number {
    return this.#heededMs;
  }

  recall(sinceMs: number, heededMs: number): void {
    this.#heededMs = heededMs;
    for (const known of this.#reports.values())
      if ((known.deliveredMs ?? 0) >= sinceMs) delete known.deliveredMs;
  }

  clear(): void {
    this.#reports.clear();
  }

  #waiting(): readonly Report[] {
    return [...this.#reports.values()].flatMap(({ report, deliveredMs }) =>
      deliveredMs === undefined ? report : [],
    );
  }
}
