/** `backstay check`: checks the repository for damage. */
import { InvalidArgumentError } from "commander";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { ReadData } from "../check/read/read-selection.ts";
import type { CheckResult } from "../check/report/check-report.ts";
import { runCheck } from "../check/run-check.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { checkView } from "./progress-check.ts";
import { withRepository } from "./repository-session.ts";
import { parseSize } from "./size-argument.ts";

interface CheckOptions {
  readonly readData?: boolean;
  readonly readDataSubset?: ReadData;
}

export const checkCommand: CliCommand<CheckOptions> = {
  worksUnread: true,

  define(command) {
    command
      .option("--read-data", "also read and verify every stored byte")
      .option(
        "--read-data-subset <what>",
        "read a part of it: 1/5 (first fifth), 2.5% or 10G (both by chance)",
        subset,
      );
    command.addHelpText(
      "after",
      [
        "",
        "Without these options the structure is checked: keys, indexes, the sizes of all packs, and all trees.",
        "For each problem the snapshots and paths that it hurts are named.",
      ].join("\n"),
    );
    addExamples(command, [
      "backstay check",
      "backstay check --read-data",
      "backstay check --read-data-subset 1/7",
    ]);
  },

  async run(invocation) {
    const { options, globals, screen, signal } = invocation;
    if (options.readData === true && options.readDataSubset !== undefined)
      throw new BackstayError("USAGE", {
        problem: "give either --read-data or --read-data-subset",
      });
    const readData =
      options.readDataSubset ??
      ({ kind: options.readData === true ? "all" : "none" } satisfies ReadData);
    // The check takes its lock itself.
    return await withRepository(invocation, { lock: "none" }, async (repository) => {
      const view = checkView(screen, globals);
      try {
        const check = (noLock: boolean): Promise<CheckResult> =>
          runCheck(
            repository,
            { readData, lockWaitMs: globals.lockWaitMs, noLock },
            view.events,
            signal,
          );
        const result = await check(!globals.lock).catch((error: unknown) => {
          if (!isLockRefused(error)) throw error;
          if (!globals.json) screen.note("no lock can be written there; checking without one");
          return check(true);
        });
        view.finish(result);
        if (result.problemCount > 0)
          throw new BackstayError("CHECK_FAILED", { problems: result.problemCount });
        return exitCodes.done;
      } finally {
        view.stop();
      }
    });
  },
};

/** A disk that is read-only can be checked all the same: nobody else changes it either. */
function isLockRefused(error: unknown): boolean {
  return (
    isBackstayError(error, "STORE_DENIED") && String(error.context["file"]).startsWith("locks/")
  );
}

function subset(text: string): ReadData {
  const slice = /^(\d{1,3})\/(\d{1,3})$/.exec(text);
  if (slice !== null) {
    const [part, of] = slice.slice(1).map(Number);
    if (part < 1 || part > of || of > 256)
      throw new InvalidArgumentError("n/t needs 1 <= n <= t <= 256.");
    return { kind: "slice", part, of };
  }
  const percent = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text);
  if (percent !== null) {
    const value = Number(percent[1]);
    if (value <= 0 || value > 100)
      throw new InvalidArgumentError("Give above 0% and at most 100%.");
    return { kind: "percent", percent: value };
  }
  const bytes = parseSize(text, "--read-data-subset");
  if (bytes === 0) throw new InvalidArgumentError("Give more than 0 bytes.");
  return { kind: "bytes", bytes };
}
