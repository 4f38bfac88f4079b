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
}

export class MemoryReports implements ReportStore {
  /** Null: delivered. */
  readonly #reports = new Map<string, Report | null>();

  /** Of all that were ever added. */
  get ids(): string[] {
    return [...this.#reports.keys()];
  }

  /** Of those that the server has confirmed. */
  get deliveredIds(): string[] {
    return [...this.#reports].flatMap(([id, report]) => (report === null ? id : []));
  }

  add(report: Report): boolean {
    if (this.#reports.has(report.id)) return false;
    this.#reports.set(report.id, report);
    return true;
  }

  next(limit: number): readonly Report[] {
    return [...this.#reports.values()].filter((report) => report !== null).slice(0, limit);
  }

  delivered(ids: readonly string[]): void {
    for (const id of ids) if (this.#reports.has(id)) this.#reports.set(id, null);
  }

  waiting(): number {
    return [...this.#reports.values()].filter((report) => report !== null).length;
  }

  lost(): number {
    return 0;
  }

  confess(): void {
    // There is room for everything.
  }
}
