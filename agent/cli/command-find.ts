/** `backstay find`: finds files by name, or the files that use blobs, trees or packs, in all snapshots. */
import { InvalidArgumentError } from "commander";
import { argumentBytes } from "../../platform/process-arguments.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { compilePatterns } from "../patterns/pattern-set.ts";
import { findSnapshots } from "../repository/snapshot/snapshot-finder.ts";
import { addExamples, type CliCommand, collect, exitCodes } from "./command.ts";
import { FindOutput } from "./find-output.ts";
import { searchNames } from "./name-search.ts";
import { ObjectSearch } from "./object-search.ts";
import { parseInstant } from "./quantities.ts";
import { withRepository } from "./repository-session.ts";
import { addSnapshotOptions, listOptions, type SnapshotOptions } from "./snapshot-options.ts";

interface FindOptions extends SnapshotOptions {
  readonly oldest?: number;
  readonly newest?: number;
  readonly snapshot: readonly string[];
  readonly ignoreCase?: boolean;
  readonly blob?: boolean;
  readonly tree?: boolean;
  readonly pack?: boolean;
  readonly showPackId?: boolean;
  readonly long?: boolean;
  readonly humanReadable?: boolean;
  readonly reverse?: boolean;
}

export const findCommand: CliCommand<FindOptions> = {
  define(command) {
    command
      .argument("<patterns...>", "names or paths with *, ? and **; or ids with --blob and its kin")
      .option("-i, --ignore-case", "let upper and lower case match each other")
      .option("-O, --oldest <time>", "only what was modified at or after this time", instant)
      .option("-N, --newest <time>", "only what was modified at or before this time", instant)
      .option("-s, --snapshot <id>", "only in this snapshot (repeatable)", collect, [])
      .option("--blob", "the patterns are ids of data blobs, or their first digits")
      .option("--tree", "the patterns are ids of trees, or their first digits")
      .option("--pack", "the patterns are ids of packs, or their first digits")
      .option("--show-pack-id", "also tell which pack holds each blob or tree")
      .option("-l, --long", "show modes, owners, sizes and times")
      .option("--human-readable", "with --long: sizes with units")
      .option("-R, --reverse", "begin with the oldest snapshot");
    addSnapshotOptions(command);
    addExamples(command, [
      "backstay find config.json",
      'backstay find --long "*.yml" "/etc/**/*.conf"',
      "backstay find --blob 420f620f",
    ]);
  },

  async run(invocation) {
    const { operands, options, environment, screen, signal, globals } = invocation;
    const kinds = (["blob", "tree", "pack"] as const).filter((kind) => options[kind] === true);
    if (kinds.length > 1)
      throw new BackstayError("USAGE", { problem: "give only one of --blob, --tree and --pack" });
    if ((options.oldest ?? 0) > (options.newest ?? Number.POSITIVE_INFINITY))
      throw new BackstayError("USAGE", { problem: "--oldest must be before --newest" });
    const patterns =
      kinds.length > 0
        ? undefined
        : compilePatterns(
            operands.map((text) => ({
              text: argumentBytes(text),
              caseInsensitive: options.ignoreCase === true,
              origin: "find",
            })),
          );
    const choice = listOptions(options, environment, screen);
    return await withRepository(invocation, { lock: "shared" }, async (repository) => {
      const snapshots = await findSnapshots(repository, options.snapshot, signal, choice);
      snapshots.sort((a, b) => a.snapshot.time.seconds - b.snapshot.time.seconds);
      if (options.reverse !== true) snapshots.reverse();
      await repository.loadIndex(signal);
      const output = new FindOutput(screen, globals.json, {
        long: options.long === true,
        humanReadable: options.humanReadable === true,
        safe: screen.isTerminal,
      });
      let damaged = choice.damagedIds.length;
      if (patterns === undefined) {
        const search = new ObjectSearch(repository, kinds[0], operands);
        for (const named of snapshots) damaged += await search.run(named, output, signal);
        output.finish();
        if (options.showPackId === true) search.showPacks(screen);
      } else {
        const times = { oldestMs: options.oldest, newestMs: options.newest };
        damaged += await searchNames(repository, snapshots, patterns, times, output, signal);
        output.finish();
      }
      return damaged > 0 ? exitCodes.failed : exitCodes.done;
    });
  },
};

function instant(text: string): number {
  const timeMs = parseInstant(text);
  if (timeMs === undefined)
    throw new InvalidArgumentError("Write it as 2026-03-01 or 2026-03-01 12:00:30.");
  return timeMs;
}
