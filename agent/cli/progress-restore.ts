/** What `restore` shows while it runs and at its end: for people, or as restic's JSON messages. */

import { RateEstimate } from "../../protocol/rate-estimate.ts";
import { utf8Text } from "../repository/json/utf8.ts";
import type { RestoreIssue } from "../restore/restore-issues.ts";
import type { RestoreAction, RestoreCounts, RestoreProgress } from "../restore/restore-progress.ts";
import type { RestoreSummary } from "../restore/restore-summary.ts";
import type { GlobalOptions } from "./global-options.ts";
import { printedMessage, printedName } from "./printed-text.ts";
import { ProgressClock } from "./progress-clock.ts";
import {
  counted,
  formatArrival,
  formatBytes,
  formatBytesShort,
  formatDuration,
  formatPercent,
  formatRate,
  shareOf,
  unlessZero,
} from "./quantities.ts";
import type { Screen } from "./screen.ts";

export interface RestoreView {
  readonly progress: RestoreProgress;
  /** Shows the result. */
  finish(summary: RestoreSummary): void;
  /** Takes the status away; harmless if done before. */
  stop(): void;
}

/** Entries are named from `-vv` on, in a dry run from `-v` on. */
export function restoreView(screen: Screen, globals: GlobalOptions, isDry: boolean): RestoreView {
  const namesEntries = globals.verbosity >= (isDry ? 1 : 2);
  const view = globals.json
    ? new JsonRestoreView(screen, globals)
    : new TextRestoreView(screen, globals, isDry);
  const { counts, issue, entry } = view;
  return {
    progress: namesEntries ? { counts, issue, entry } : { counts, issue },
    finish: (summary) => view.finish(summary),
    stop: () => view.stop(),
  };
}

class TextRestoreView {
  readonly #screen: Screen;
  readonly #globals: GlobalOptions;
  readonly #isDry: boolean;
  readonly #clock: ProgressClock;
  readonly #startMs = performance.now();
  #rate = new RateEstimate();
  #latest: RestoreCounts | undefined;

  constructor(screen: Screen, globals: GlobalOptions, isDry: boolean) {
    this.#screen = screen;
    this.#globals = globals;
    this.#isDry = isDry;
    this.#clock = new ProgressClock(screen, globals, () => {
      if (this.#latest === undefined) return;
      const elapsedMs = performance.now() - this.#startMs;
      screen.drawBlock(statusLines(this.#latest, elapsedMs, this.#rate));
    });
  }

  readonly counts = (counts: RestoreCounts): void => {
    if (counts.phase !== this.#latest?.phase) this.#rate = new RateEstimate();
    this.#latest = counts;
    this.#rate.add(performance.now(), counts.bytesDone);
  };

  readonly issue = ({ severity, path, text }: RestoreIssue): void => {
    const where = path === "" ? "" : `${printedName(path)}: `;
    this.#screen.note(`${severity}: ${where}${printedMessage(text)}`);
  };

  readonly entry = (action: RestoreAction, path: Uint8Array, sizeBytes: number): void => {
    const size = sizeBytes > 0 ? ` with size ${formatBytes(sizeBytes)}` : "";
    this.#screen.line(`${action.padEnd(9)} ${printedName(absolute(path))}${size}`);
  };

  finish(summary: RestoreSummary): void {
    this.stop();
    if (this.#globals.quiet) return;
    const elapsed = formatDuration(performance.now() - this.#startMs);
    for (const line of summaryLines(summary, this.#isDry, elapsed)) this.#screen.line(line);
  }

  stop(): void {
    this.#clock.stop();
    this.#screen.eraseBlock();
  }
}

const phaseNames = {
  plan: "planning",
  compare: "comparing",
  restore: "restoring",
  verify: "verifying",
} as const;

function statusLines(counts: RestoreCounts, elapsedMs: number, rate: RateEstimate): string[] {
  const { phase, entriesDone, entriesTotal, bytesDone, bytesTotal, bytesSkipped } = counts;
  const start = [`[${formatDuration(elapsedMs)}]`, phaseNames[phase]];
  const found = [formatBytesShort(bytesTotal), `${entriesTotal} entries`];
  const done = [
    formatPercent(bytesDone + bytesSkipped, bytesTotal),
    `${formatBytesShort(bytesDone)} of ${formatBytesShort(bytesTotal)}`,
    formatRate(rate.perSecond()),
    formatArrival(rate.remainingMs(bytesTotal - bytesSkipped)),
    `${entriesDone}/${entriesTotal} entries`,
  ];
  const parts = [...start, ...(phase === "plan" ? found : done)];
  const current = counts.current === undefined ? [] : [printedName(counts.current)];
  return [parts.filter((part) => part !== "").join("  "), ...current];
}

function summaryLines(summary: RestoreSummary, isDry: boolean, elapsed: string): string[] {
  const done = `${summary.entriesRestored} files/dirs (${formatBytes(summary.bytesRestored)})`;
  const untouched = summary.entriesUnchanged + summary.entriesSkipped;
  const skipped =
    untouched === 0 ? "" : `, left ${untouched} files/dirs ${formatBytes(summary.bytesSkipped)}`;
  const deleted = summary.entriesDeleted === 0 ? "" : `, deleted ${summary.entriesDeleted}`;
  const lines = [
    `Summary: ${isDry ? "Would restore" : "Restored"} ${done} in ${elapsed}${skipped}${deleted}`,
  ];
  if (summary.filesVerified > 0) lines.push(`verified ${counted(summary.filesVerified, "file")}`);
  if (summary.warnings > 0) lines.push(counted(summary.warnings, "warning"));
  if (summary.errors > 0)
    lines.push(
      `${counted(summary.errors, "error")}, ${summary.entriesFailed} files/dirs not restored whole`,
    );
  return lines;
}

/** restic writes paths below the target with `/` before them. */
function absolute(path: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from("/"), path]);
}

class JsonRestoreView {
  readonly #screen: Screen;
  readonly #clock: ProgressClock;
  readonly #startMs = performance.now();
  #latest: RestoreCounts | undefined;
  #shown: RestoreCounts | undefined;

  constructor(screen: Screen, globals: GlobalOptions) {
    this.#screen = screen;
    this.#clock = new ProgressClock(screen, globals, () => {
      if (this.#latest === undefined || this.#latest === this.#shown) return;
      this.#shown = this.#latest;
      screen.line(JSON.stringify(this.#statusMessage(this.#latest)));
      void screen.settle();
    });
  }

  readonly counts = (counts: RestoreCounts): void => {
    this.#latest = counts;
  };

  readonly issue = ({ severity, kind, path, text }: RestoreIssue): void =>
    this.#screen.note(
      JSON.stringify({
        message_type: severity,
        error: { message: text, code: kind },
        during: "restore",
        item: path,
      }),
    );

  readonly entry = (action: RestoreAction, path: Uint8Array, size: number): void =>
    this.#screen.line(
      JSON.stringify({
        message_type: "verbose_status",
        action,
        item: utf8Text(absolute(path)),
        size,
      }),
    );

  finish(summary: RestoreSummary): void {
    this.stop();
    const untouched = summary.entriesUnchanged + summary.entriesSkipped;
    this.#screen.line(
      JSON.stringify({
        message_type: "summary",
        seconds_elapsed: this.#secondsElapsed(),
        total_files: unlessZero(summary.entriesTotal - untouched),
        files_restored: unlessZero(summary.entriesRestored),
        files_skipped: unlessZero(untouched),
        files_deleted: unlessZero(summary.entriesDeleted),
        total_bytes: unlessZero(summary.bytesTotal - summary.bytesSkipped),
        bytes_restored: unlessZero(summary.bytesRestored),
        bytes_skipped: unlessZero(summary.bytesSkipped),
        // Beyond restic's.
        files_verified: unlessZero(summary.filesVerified),
        files_failed: unlessZero(summary.entriesFailed),
        error_count: unlessZero(summary.errors),
        warning_count: unlessZero(summary.warnings),
      }),
    );
  }

  stop(): void {
    this.#clock.stop();
  }

  /** restic leaves out what is 0. */
  #statusMessage(counts: RestoreCounts): object {
    const { entriesTotal, entriesDone, bytesTotal, bytesDone, bytesSkipped } = counts;
    return {
      message_type: "status",
      seconds_elapsed: this.#secondsElapsed(),
      percent_done: shareOf(bytesDone + bytesSkipped, bytesTotal),
      total_files: unlessZero(entriesTotal),
      files_restored: unlessZero(entriesDone),
      total_bytes: unlessZero(bytesTotal),
      bytes_restored: unlessZero(bytesDone),
      bytes_skipped: unlessZero(bytesSkipped),
      phase: counts.phase,
    };
  }

  #secondsElapsed(): number | undefined {
    return unlessZero(Math.floor((performance.now() - this.#startMs) / 1000));
  }
}
