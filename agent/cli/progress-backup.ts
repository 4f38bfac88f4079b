/** What `backup` shows while it runs and at its end: for people, or as restic's JSON messages. */
import { RateEstimate } from "../../protocol/rate-estimate.ts";
import { type RequestSums, requestsOf } from "../../protocol/request-sums.ts";
import type {
  BackupEntry,
  BackupEvents,
  BackupIssue,
  BackupOmission,
  BackupProgress,
  BackupSummary,
  BackupWarning,
} from "../backup/backup-request.ts";
import { utf8Text } from "../repository/json/utf8.ts";
import { shortIdLength } from "../repository/snapshot/snapshot-finder.ts";
import type { GlobalOptions } from "./global-options.ts";
import { printedMessage, printedName } from "./printed-text.ts";
import { ProgressClock, showsProgress } from "./progress-clock.ts";
import {
  counted,
  formatArrival,
  formatBytes,
  formatBytesShort,
  formatDuration,
  formatLocalTime,
  formatPercent,
  formatRate,
  shareOf,
  unlessZero,
} from "./quantities.ts";
import type { Screen } from "./screen.ts";
import { trafficText } from "./session-text.ts";

export interface BackupView {
  readonly events: BackupEvents;
  /** Shows the result, and what was asked of the storage if it is reached by requests. */
  finish(summary: BackupSummary, traffic?: RequestSums): void;
  /** Takes the status away; harmless if done before. */
  stop(): void;
}

/** The view that the options ask for. */
export function backupView(screen: Screen, globals: GlobalOptions, isDry: boolean): BackupView {
  return globals.json
    ? new JsonBackupView(screen, globals, isDry)
    : new TextBackupView(screen, globals, isDry);
}

/** Prints a line for each entry, and resolves when the reader has kept up. */
function linesOf(
  screen: Screen,
  lineOf: (entry: BackupEntry) => string,
): (entries: readonly BackupEntry[]) => Promise<void> {
  return async (entries) => {
    for (const entry of entries) screen.line(lineOf(entry));
    await screen.settle();
  };
}

class TextBackupView implements BackupView {
  readonly events: BackupEvents;
  readonly #screen: Screen;
  readonly #globals: GlobalOptions;
  readonly #isDry: boolean;
  readonly #clock: ProgressClock;
  readonly #rate = new RateEstimate();
  #latest: BackupProgress | undefined;

  constructor(screen: Screen, globals: GlobalOptions, isDry: boolean) {
    this.#screen = screen;
    this.#globals = globals;
    this.#isDry = isDry;
    this.events = {
      ...(showsProgress(screen, globals)
        ? { progress: (progress: BackupProgress) => this.#note(progress) }
        : {}),
      issue: (issue) =>
        screen.note(`error: ${printedName(issue.path)}: ${printedMessage(issue.message)}`),
      warning: ({ message }) => screen.note(`warning: ${message}`),
      ...(globals.quiet
        ? {}
        : { omission: (omission: BackupOmission) => screen.note(omissionLine(omission)) }),
      ...(globals.verbosity >= 2 ? { entries: linesOf(screen, entryLine) } : {}),
    };
    this.#clock = new ProgressClock(screen, globals, () => {
      if (this.#latest !== undefined) screen.drawBlock(statusLines(this.#latest, this.#rate));
    });
  }

  finish(summary: BackupSummary, traffic?: RequestSums): void {
    this.stop();
    if (this.#globals.quiet) return;
    const { verbosity } = this.#globals;
    for (const line of summaryLines(summary, this.#isDry, verbosity, traffic))
      this.#screen.line(line);
  }

  #note(progress: BackupProgress): void {
    this.#latest = progress;
    this.#rate.add(progress.elapsedMs, progress.bytesDone);
  }

  stop(): void {
    this.#clock.stop();
    this.#screen.eraseBlock();
  }
}

function statusLines(progress: BackupProgress, rate: RateEstimate): string[] {
  const { filesDone, bytesDone, filesTotal, bytesTotal, issues, elapsedMs } = progress;
  const isKnown = filesTotal !== undefined && bytesTotal !== undefined;
  const parts = [
    `[${formatDuration(elapsedMs)}]`,
    isKnown ? formatPercent(bytesDone, bytesTotal) : "",
    `${formatBytesShort(bytesDone)}${isKnown ? ` of ${formatBytesShort(bytesTotal)}` : ""}`,
    formatRate(rate.perSecond()),
    isKnown ? formatArrival(rate.remainingMs(bytesTotal)) : "",
    `${filesDone}${isKnown ? `/${filesTotal}` : ""} files`,
    issues > 0 ? counted(issues, "error") : "",
  ];
  return [
    parts.filter((part) => part !== "").join("  "),
    ...progress.currentFiles.map((file) => printedName(file)),
  ];
}

const omissionTexts: Record<BackupOmission["reason"], string> = {
  "own-place": "left out: it is Backstay's own (repository, cache or state)",
  loop: "stored as an empty folder: it is one of the folders that it lies in, mounted again",
  "pseudo-file-system":
    "stored as an empty folder: what is in it is made by the system and is no data",
};

function omissionLine({ path, reason }: BackupOmission): string {
  return `note: ${printedName(path)}: ${omissionTexts[reason]}`;
}

function entryLine(entry: BackupEntry): string {
  const { action, path, addedBytes, storedBytes, durationMs } = entry;
  const item = `${action.padEnd(9)} ${printedName(path)}`;
  if (action === "unchanged") return item;
  const cost = `${formatBytes(addedBytes)} added, ${formatBytes(storedBytes)} stored`;
  return `${item}, saved in ${(durationMs / 1000).toFixed(3)}s (${cost})`;
}

function summaryLines(
  summary: BackupSummary,
  isDry: boolean,
  verbosity: number,
  traffic: RequestSums | undefined,
): string[] {
  const five = (count: number): string => String(count).padStart(5);
  const counts = (added: number, changed: number, same: number): string =>
    `${five(added)} new, ${five(changed)} changed, ${five(same)} unmodified`;
  const { filesNew, filesChanged, filesUnmodified, dirsNew, dirsChanged, dirsUnmodified } = summary;
  const added = formatBytes(summary.dataAdded);
  const stored = formatBytes(summary.dataAddedPacked);
  const processed = `${summary.totalFilesProcessed} files, ${formatBytes(summary.totalBytesProcessed)}`;
  return [
    "",
    `Files:       ${counts(filesNew, filesChanged, filesUnmodified)}`,
    `Dirs:        ${counts(dirsNew, dirsChanged, dirsUnmodified)}`,
    ...(verbosity > 0
      ? [
          `Data Blobs:  ${five(summary.dataBlobs)} new`,
          `Tree Blobs:  ${five(summary.treeBlobs)} new`,
          `Read:        ${formatBytes(summary.bytesRead)} from files`,
          `Sent:        ${formatBytes(summary.bytesStored)} to the repository`,
          ...(traffic === undefined || requestsOf(traffic) === 0
            ? []
            : [`Requests:    ${trafficText(traffic)}`]),
        ]
      : []),
    `${isDry ? "Would add" : "Added"} to the repository: ${added} (${stored} stored)`,
    ...(summary.packsRecovered > 0
      ? [`Taken over from an interrupted run: ${counted(summary.packsRecovered, "pack")}`]
      : []),
    "",
    `processed ${processed} in ${formatDuration(summary.endMs - summary.startMs)}`,
    outcomeLine(summary.snapshotId, isDry),
    ...(summary.lockedUntilMs === undefined
      ? []
      : [`locked until ${formatLocalTime(summary.lockedUntilMs / 1000)}`]),
  ];
}

function outcomeLine(snapshotId: string | undefined, isDry: boolean): string {
  if (snapshotId !== undefined) return `snapshot ${snapshotId.slice(0, shortIdLength)} saved`;
  return isDry ? "dry run, nothing was stored" : "nothing changed, no snapshot was saved";
}

class JsonBackupView implements BackupView {
  readonly events: BackupEvents;
  readonly #screen: Screen;
  readonly #isDry: boolean;
  readonly #clock: ProgressClock;
  readonly #rate = new RateEstimate();
  #latest: BackupProgress | undefined;
  #shown: BackupProgress | undefined;

  constructor(screen: Screen, globals: GlobalOptions, isDry: boolean) {
    this.#screen = screen;
    this.#isDry = isDry;
    this.events = {
      ...(showsProgress(screen, globals)
        ? { progress: (progress: BackupProgress) => this.#note(progress) }
        : {}),
      issue: (issue) => screen.note(JSON.stringify(issueMessage(issue))),
      omission: (omission) => screen.note(JSON.stringify(omissionMessage(omission))),
      warning: (warning) => screen.note(JSON.stringify(warningMessage(warning))),
      // One level earlier than text, as restic does it.
      ...(globals.verbosity >= 1
        ? { entries: linesOf(screen, (entry) => JSON.stringify(entryMessage(entry))) }
        : {}),
    };
    this.#clock = new ProgressClock(screen, globals, () => {
      if (this.#latest === undefined || this.#latest === this.#shown) return;
      this.#shown = this.#latest;
      screen.line(JSON.stringify(statusMessage(this.#latest, this.#rate)));
      void screen.settle();
    });
  }

  finish(summary: BackupSummary, traffic?: RequestSums): void {
    this.stop();
    this.#screen.line(JSON.stringify(summaryMessage(summary, this.#isDry, traffic)));
  }

  #note(progress: BackupProgress): void {
    this.#latest = progress;
    this.#rate.add(progress.elapsedMs, progress.bytesDone);
  }

  stop(): void {
    this.#clock.stop();
  }
}

/** restic leaves out what is 0 or empty. */
function statusMessage(progress: BackupProgress, rate: RateEstimate): object {
  const { filesDone, bytesDone, filesTotal, bytesTotal, issues, elapsedMs } = progress;
  const remainingMs = bytesTotal === undefined ? undefined : rate.remainingMs(bytesTotal);
  return {
    message_type: "status",
    seconds_elapsed: unlessZero(Math.floor(elapsedMs / 1000)),
    seconds_remaining: unlessZero(Math.ceil((remainingMs ?? 0) / 1000)),
    percent_done: shareOf(bytesDone, bytesTotal),
    total_files: unlessZero(filesTotal),
    files_done: unlessZero(filesDone),
    total_bytes: unlessZero(bytesTotal),
    bytes_done: unlessZero(bytesDone),
    error_count: unlessZero(issues),
    current_files: progress.currentFiles.length > 0 ? progress.currentFiles : undefined,
  };
}

function issueMessage({ path, during, message, code }: BackupIssue): object {
  return { message_type: "error", error: { message, code }, during, item: path };
}

function warningMessage({ item, code, message }: BackupWarning): object {
  return { message_type: "warning", error: { message, code }, item };
}

function omissionMessage({ path, reason }: BackupOmission): object {
  return { message_type: "omission", item: path, reason, message: omissionTexts[reason] };
}

function entryMessage(entry: BackupEntry): object {
  const { action, path, addedBytes, storedBytes, durationMs } = entry;
  const isFolder = path.at(-1) === slash;
  return {
    message_type: "verbose_status",
    action,
    item: utf8Text(path),
    duration: durationMs / 1000,
    data_size: isFolder ? 0 : addedBytes,
    data_size_in_repo: isFolder ? 0 : storedBytes,
    metadata_size: isFolder ? addedBytes : 0,
    metadata_size_in_repo: isFolder ? storedBytes : 0,
    total_files: 0,
  };
}

const slash = 0x2f;

function summaryMessage(summary: BackupSummary, isDry: boolean, traffic?: RequestSums): object {
  return {
    message_type: "summary",
    files_new: summary.filesNew,
    files_changed: summary.filesChanged,
    files_unmodified: summary.filesUnmodified,
    dirs_new: summary.dirsNew,
    dirs_changed: summary.dirsChanged,
    dirs_unmodified: summary.dirsUnmodified,
    data_blobs: summary.dataBlobs,
    tree_blobs: summary.treeBlobs,
    data_added: summary.dataAdded,
    data_added_packed: summary.dataAddedPacked,
    total_files_processed: summary.totalFilesProcessed,
    total_bytes_processed: summary.totalBytesProcessed,
    total_duration: (summary.endMs - summary.startMs) / 1000,
    backup_start: new Date(summary.startMs).toISOString(),
    backup_end: new Date(summary.endMs).toISOString(),
    snapshot_id: summary.snapshotId,
    dry_run: isDry || undefined,
    ...(summary.lockedUntilMs !== undefined && {
      locked_until: new Date(summary.lockedUntilMs).toISOString(),
    }),
    // Beyond restic's: what an interrupted run saves the next one shows here.
    bytes_read: summary.bytesRead,
    bytes_stored: summary.bytesStored,
    packs_recovered: unlessZero(summary.packsRecovered),
    ...(traffic !== undefined &&
      requestsOf(traffic) > 0 && {
        requests: traffic.requests,
        request_bytes_up: traffic.bytesUp,
        request_bytes_down: traffic.bytesDown,
      }),
  };
}
