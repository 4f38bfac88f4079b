/** `backstay restore`: brings back a snapshot, or a part of it. */
import path from "node:path";
import { type Command, Option } from "commander";
import { argumentBytes } from "../../platform/process-arguments.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type OverwriteRule, overwriteRules } from "../../protocol/run-order.ts";
import { parseExcludeFile } from "../backup/select/exclude-file.ts";
import type { PatternSource } from "../patterns/pattern.ts";
import { compilePatterns, type PatternSet } from "../patterns/pattern-set.ts";
import type { Repository } from "../repository/repository.ts";
import {
  findSnapshot,
  type NamedSnapshot,
  shortIdLength,
  splitSnapshotPath,
} from "../repository/snapshot/snapshot-finder.ts";
import { restoreSnapshot } from "../restore/restore.ts";
import { tellOfColdPacks } from "./cold-restore.ts";
import { addExamples, type CliCommand, collect, exitCodes, type Invocation } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";
import { assertPolicyAlone, assertPolicyFor, followTask } from "./daemon-task.ts";
import { readListFile } from "./list-file.ts";
import { printedName } from "./printed-text.ts";
import { restoreView } from "./progress-restore.ts";
import { formatLocalTime } from "./quantities.ts";
import { withRepository } from "./repository-session.ts";
import { addSnapshotOptions, listOptions, type SnapshotOptions } from "./snapshot-options.ts";

interface RestoreOptions extends SnapshotOptions {
  readonly policy?: string;
  readonly from?: string;
  readonly target?: string;
  readonly include: readonly string[];
  readonly iinclude: readonly string[];
  readonly includeFile: readonly string[];
  readonly iincludeFile: readonly string[];
  readonly exclude: readonly string[];
  readonly iexclude: readonly string[];
  readonly excludeFile: readonly string[];
  readonly iexcludeFile: readonly string[];
  readonly overwrite: OverwriteRule;
  readonly delete?: boolean;
  readonly confirmDelete?: boolean;
  readonly dryRun?: boolean;
  readonly verify?: boolean;
  readonly yes?: boolean;
}

export const restoreCommand: CliCommand<RestoreOptions> = {
  worksUnread: true,

  define(command) {
    command
      .argument("<snapshot>", "id, `latest`, or one of them with :PATH for a part of it")
      .option("-t, --target <dir>", "folder to restore to; made if it does not exist")
      .option("--policy <name>", "let the daemon do it, from this policy's repository")
      .option("--from <repository>", "with --policy: an earlier repository of its pool");
    addPatternOptions(command);
    command
      .addOption(
        new Option("--overwrite <rule>", "when a file is in the way")
          .choices([...overwriteRules])
          .default("always"),
      )
      .option("--delete", "remove from the target what the snapshot does not have")
      .option("--confirm-delete", "with --delete: yes, remove it")
      .option("-n, --dry-run", "change nothing, only say what would be done (-vv names each file)")
      .option("--sparse", "restore holes as holes; always done, accepted for restic's sake")
      .option("--verify", "read every file back and compare it")
      .option("-y, --yes", "restore also if some of the data lies in an archive: what needs none");
    addSnapshotOptions(command, " with `latest`");
    addExamples(command, [
      "backstay restore latest --target /tmp/restored",
      "backstay restore latest --policy etc --target /tmp/restored --include /etc/ssh",
      "backstay restore latest:/srv/data --target /srv/data --overwrite if-changed",
      "backstay restore 79766175 --target /tmp/restored --include '*.conf' --verify",
    ]);
  },

  async run(invocation) {
    const { operands, options, environment, screen, signal } = invocation;
    if (options.target === undefined || options.target === "")
      throw new BackstayError("USAGE", {
        command: "restore",
        problem: "say where to restore to with --target",
      });
    if (options.policy !== undefined) return await restoreByDaemon(invocation, options.policy);
    assertPolicyFor(options);
    const { name, path: part } = splitSnapshotPath(operands[0]);
    const include = patternsOf(invocation, "include");
    const exclude = patternsOf(invocation, "exclude");
    const choice = listOptions(options, environment, screen);
    return await withRepository(invocation, { lock: "shared" }, async (repository) => {
      const named = await findSnapshot(repository, name, signal, choice);
      await repository.loadIndex(signal);
      return await restore(invocation, repository, named, part, { include, exclude });
    });
  },
};

/** Whole paths only: patterns are for who reads the repository itself. */
async function restoreByDaemon(
  invocation: Invocation<RestoreOptions>,
  policy: string,
): Promise<number> {
  const { operands, options, environment, signal } = invocation;
  assertPolicyAlone(invocation);
  const paths = options.include;
  const { target = "", overwrite, verify } = options;
  if (operands[0].includes(":") || paths.some((path) => !/^\/[^*?[\]\\]*$/.test(path)))
    throw new BackstayError("USAGE", {
      problem: "with --policy, name what to restore as --include /PATH, without wildcards",
    });
  const unknown = ["exclude", "iinclude", "iexclude", "delete", "dryRun"] as const;
  if (unknown.some((name) => [options[name] ?? []].flat().length > 0))
    throw new BackstayError("USAGE", {
      problem: "with --policy only --target, --include, --overwrite and --verify can be used",
    });
  const client = daemonClient(environment);
  const { sessionId } = await client.restore(
    {
      policy,
      snapshot: operands[0],
      paths,
      target: path.resolve(target),
      overwrite,
      verify: verify === true,
      ...(options.from !== undefined && { from: options.from }),
    },
    signal,
  );
  return await followTask(invocation, client, sessionId);
}

function addPatternOptions(command: Command): void {
  const kinds = [
    ["-i, --include <pattern>", "--iinclude <pattern>", "include", "only what matches"],
    ["-e, --exclude <pattern>", "--iexclude <pattern>", "exclude", "leave out what matches"],
  ] as const;
  for (const [exact, folded, word, meaning] of kinds)
    command
      .option(exact, `${meaning} (repeatable)`, collect, [])
      .option(folded, "the same, upper and lower case alike", collect, [])
      .option(`--${word}-file <file>`, "read patterns from a file (repeatable)", collect, [])
      .option(`--i${word}-file <file>`, "the same, upper and lower case alike", collect, []);
}

/** The patterns of `--include` or `--exclude` and their kin; undefined if there are none. */
function patternsOf(
  { options, environment }: Invocation<RestoreOptions>,
  word: "include" | "exclude",
): PatternSet | undefined {
  const typed = (texts: readonly string[], caseInsensitive: boolean): PatternSource[] =>
    texts.map((text) => ({
      text: argumentBytes(text),
      caseInsensitive,
      origin: `--${caseInsensitive ? "i" : ""}${word}`,
    }));
  const read = (files: readonly string[], caseInsensitive: boolean): PatternSource[] =>
    files.flatMap((file) =>
      parseExcludeFile(
        readListFile(file, `--${caseInsensitive ? "i" : ""}${word}-file`),
        caseInsensitive,
        (name) => environment[name],
      ),
    );
  const sources = [
    ...typed(options[word], false),
    ...read(options[`${word}File`], false),
    ...typed(options[`i${word}`], true),
    ...read(options[`i${word}File`], true),
  ];
  return sources.length === 0 ? undefined : compilePatterns(sources);
}

async function restore(
  invocation: Invocation<RestoreOptions>,
  repository: Repository,
  { id, snapshot }: NamedSnapshot,
  part: string,
  patterns: { include: PatternSet | undefined; exclude: PatternSet | undefined },
): Promise<number> {
  const { options, screen, globals, signal } = invocation;
  const target = options.target ?? "";
  if (!globals.json && !globals.quiet) {
    const what = part === "" ? "" : `:${printedName(argumentBytes(part))}`;
    const when = formatLocalTime(snapshot.time.seconds);
    const where = printedName(argumentBytes(target));
    screen.line(`restoring snapshot ${id.slice(0, shortIdLength)}${what} of ${when} to ${where}`);
  }
  const isDry = options.dryRun === true;
  const view = restoreView(screen, globals, isDry);
  try {
    const summary = await restoreSnapshot({
      repository,
      tree: snapshot.tree,
      ...(part === "" ? {} : { path: argumentBytes(part) }),
      target: absoluteTarget(target),
      ...patterns,
      overwrite: options.overwrite,
      delete: options.delete === true,
      deleteConfirmed: options.confirmDelete === true,
      dryRun: isDry,
      verify: options.verify === true,
      progress: view.progress,
      coldPacks: (found) => tellOfColdPacks(invocation, found, isDry || options.yes === true),
      signal,
    });
    view.finish(summary);
    if (summary.errors > 0)
      throw new BackstayError("RESTORE_INCOMPLETE", { errors: summary.errors });
    return exitCodes.done;
  } finally {
    view.stop();
  }
}

/** Workers have no working directory of their own to go by. */
function absoluteTarget(target: string): Uint8Array {
  if (path.isAbsolute(target)) return argumentBytes(target);
  const base = Buffer.from(`${process.cwd()}${path.sep}`);
  return new Uint8Array(Buffer.concat([base, argumentBytes(target)]));
}
