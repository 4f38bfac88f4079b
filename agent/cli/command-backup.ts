/** `backstay backup`: backs up files and folders into a new snapshot. */
import { type Command, InvalidArgumentError } from "commander";
import { processIdentity } from "../../platform/process-identity.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { RequestCounts } from "../../storage/request-counts.ts";
import type { BackupRequest } from "../backup/backup-request.ts";
import { runBackup } from "../backup/run-backup.ts";
import { collectExcludes, type SelectionOptions } from "../backup/select/selection-options.ts";
import { StartedThreads } from "../backup/threads/started-threads.ts";
import { utf8Text } from "../repository/json/utf8.ts";
import type { Repository } from "../repository/repository.ts";
import { findSnapshot } from "../repository/snapshot/snapshot-finder.ts";
import {
  backupEstimate,
  estimateLines,
  type StoragePrices,
  storagePrices,
} from "./backup-estimate.ts";
import { backupSources, type SourceOptions } from "./backup-sources.ts";
import { addExamples, type CliCommand, collect, exitCodes, type Invocation } from "./command.ts";
import { readListFile } from "./list-file.ts";
import { addNewObjectOptions, type NewObjectOptions, newObjectsOf } from "./new-object-options.ts";
import { ownPlaces } from "./own-places.ts";
import { backupView } from "./progress-backup.ts";
import { parseInstant } from "./quantities.ts";
import { withRepository } from "./repository-session.ts";
import { parseSize } from "./size-argument.ts";

interface BackupOptions extends SourceOptions, NewObjectOptions {
  readonly exclude: readonly string[];
  readonly iexclude: readonly string[];
  readonly excludeFile: readonly string[];
  readonly iexcludeFile: readonly string[];
  readonly excludeCaches?: boolean;
  readonly excludeIfPresent: readonly string[];
  readonly excludeLargerThan?: string;
  readonly oneFileSystem?: boolean;
  readonly tag: readonly string[];
  readonly host?: string;
  readonly time?: number;
  readonly parent?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly readConcurrency?: number;
  readonly skipIfUnchanged?: boolean;
  readonly estimate?: StoragePrices;
  readonly dailyChange: number;
}

export const backupCommand: CliCommand<BackupOptions> = {
  worksUnread: true,

  define(command) {
    command.argument("[paths...]", "files and folders to back up");
    addExcludeOptions(command);
    addSourceOptions(command);
    command
      .option("--tag <tag[,tag…]>", "tag of the new snapshot (repeatable)", collect, [])
      .option("-H, --host <name>", "host name of the new snapshot; this machine's if absent")
      .option("--time <time>", "time of the new snapshot, such as `2026-03-01 12:00:00`", instant)
      .option("--parent <snapshot>", "compare with this snapshot, not the last of host and paths")
      .option("-f, --force", "compare with no snapshot: read every file")
      .option("-n, --dry-run", "store nothing, only say what would be stored")
      .option(
        "--estimate <prices>",
        "with --dry-run: what a month would cost, such as put=0.005,get=0.0004,gb-month=0.023",
        storagePrices,
      )
      .option("--daily-change <percent>", "how much of it is new each day", percent, 1)
      .option("--read-concurrency <n>", "files read at once; chosen by the disk if absent", readers)
      .option("--skip-if-unchanged", "save no snapshot if nothing changed");
    addNewObjectOptions(command);
    addExamples(command, [
      "backstay backup /etc /srv",
      "backstay backup / --one-file-system --exclude-caches --exclude '*.tmp'",
      "backstay backup /srv --retention-days 30 --retention-mode compliance",
      "find /data -mtime -1 -print0 | backstay backup --files-from-raw -",
    ]);
  },

  async run(invocation) {
    const { options, operands } = invocation;
    const paths = backupSources(operands, options, invocation.screen);
    if (options.parent !== undefined && options.force === true)
      throw new BackstayError("USAGE", { problem: "give either --parent or --force" });
    if (options.estimate !== undefined && options.dryRun !== true)
      throw new BackstayError("USAGE", { problem: "--estimate goes with --dry-run" });
    const excludes = excludesOf(invocation);
    const newObjects = newObjectsOf(options);
    const threads = new StartedThreads(options.readConcurrency);
    const counts = new RequestCounts();
    const session = { lock: "none", counts, newObjects } as const;
    try {
      return await withRepository(invocation, session, async (repository) => {
        const parent = await parentOf(invocation, repository);
        const request: BackupRequest = {
          paths,
          hostName: options.host ?? usualHost(invocation),
          tags: tagsOf(options.tag),
          ...(options.time === undefined ? {} : { timeMs: options.time }),
          selection: { ...excludes, ...ownPlaces(repository.store, invocation.globals) },
          excludes: excludes.patterns
            .filter(({ caseInsensitive }) => !caseInsensitive)
            .map(({ text }) => (typeof text === "string" ? text : utf8Text(text))),
          ...(parent === undefined ? {} : { parent }),
          compression: invocation.globals.compression,
          ...(options.readConcurrency === undefined ? {} : { readers: options.readConcurrency }),
          dryRun: options.dryRun === true,
          skipIfUnchanged: options.skipIfUnchanged === true,
          immutability: newObjects.immutability,
          lockWaitMs: invocation.globals.lockWaitMs,
        };
        return await backUp(invocation, repository, request, threads, counts);
      });
    } finally {
      await threads.end();
    }
  },
};

function addExcludeOptions(command: Command): void {
  command
    .option("-e, --exclude <pattern>", "leave out what matches (repeatable)", collect, [])
    .option("--iexclude <pattern>", "the same, upper and lower case alike", collect, [])
    .option("--exclude-file <file>", "read patterns from a file (repeatable)", collect, [])
    .option("--iexclude-file <file>", "the same, upper and lower case alike", collect, [])
    .option("--exclude-caches", "leave out what is in folders marked by CACHEDIR.TAG")
    .option(
      "--exclude-if-present <name[:header]>",
      "leave out what is in folders that hold this file (repeatable)",
      collect,
      [],
    )
    .option("--exclude-larger-than <size>", "leave out larger files; K, M, G, T are understood")
    .option("-x, --one-file-system", "stay on the file systems of the given paths");
}

function addSourceOptions(command: Command): void {
  command
    .option("--files-from <file>", "read paths, which may be patterns (repeatable)", collect, [])
    .option("--files-from-verbatim <file>", "read paths as they are (repeatable)", collect, [])
    .option("--files-from-raw <file>", "read paths that end with NUL (repeatable)", collect, []);
}

async function backUp(
  { screen, globals, signal, options }: Invocation<BackupOptions>,
  repository: Repository,
  request: BackupRequest,
  threads: StartedThreads,
  counts: RequestCounts,
): Promise<number> {
  const view = backupView(screen, globals, request.dryRun);
  try {
    const summary = await runBackup(repository, request, view.events, signal, threads);
    view.finish(summary, counts.sums);
    if (options.estimate !== undefined) {
      const estimate = backupEstimate(summary, options.estimate, options.dailyChange);
      if (globals.json) screen.line(JSON.stringify({ message_type: "estimate", ...estimate }));
      else for (const line of estimateLines(estimate)) screen.line(line);
    }
    if (summary.issues > 0) throw new BackstayError("SOURCE_UNREADABLE", { files: summary.issues });
    return exitCodes.done;
  } finally {
    view.stop();
  }
}

function excludesOf({
  options,
  environment,
}: Invocation<BackupOptions>): Omit<SelectionOptions, "ownPlaces"> {
  const excludes = collectExcludes(
    {
      excludes: options.exclude,
      caseInsensitiveExcludes: options.iexclude,
      excludeFiles: options.excludeFile.map((file) => readListFile(file, "--exclude-file")),
      caseInsensitiveExcludeFiles: options.iexcludeFile.map((file) =>
        readListFile(file, "--iexclude-file"),
      ),
      excludeCaches: options.excludeCaches === true,
      excludeIfPresent: options.excludeIfPresent,
    },
    (name) => environment[name],
  );
  return {
    ...excludes,
    ...(options.excludeLargerThan === undefined
      ? {}
      : {
          excludeLargerThanBytes: parseSize(options.excludeLargerThan, "--exclude-larger-than"),
        }),
    oneFileSystem: options.oneFileSystem === true,
  };
}

async function parentOf(
  { options, signal }: Invocation<BackupOptions>,
  repository: Repository,
): Promise<string | undefined> {
  if (options.force === true) return "none";
  if (options.parent === undefined) return undefined;
  return (await findSnapshot(repository, options.parent, signal)).id;
}

function usualHost({ environment }: Invocation<BackupOptions>): string {
  const named = environment["BACKSTAY_HOST"] ?? environment["RESTIC_HOST"] ?? "";
  return named === "" ? processIdentity().hostName : named;
}

/** Each tag once, in the order given. */
function tagsOf(lists: readonly string[]): string[] {
  const tags = lists.flatMap((list) => list.split(",")).map((tag) => tag.trim());
  return [...new Set(tags.filter((tag) => tag !== ""))];
}

function instant(text: string): number {
  const timeMs = text === "now" ? Date.now() : parseInstant(text);
  if (timeMs === undefined)
    throw new InvalidArgumentError("Write it as 2026-03-01 12:00:30, or `now`.");
  return timeMs;
}

function percent(text: string): number {
  const value = Number(text.replace(/\s*%$/, ""));
  if (text.trim() === "" || !(value >= 0 && value <= 100))
    throw new InvalidArgumentError("Give a number from 0 to 100.");
  return value;
}

function readers(text: string): number {
  const count = Number(text);
  if (!/^\d{1,3}$/.test(text) || count < 1)
    throw new InvalidArgumentError("Give a whole number from 1 to 999.");
  return count;
}
