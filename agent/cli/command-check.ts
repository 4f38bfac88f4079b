/** `backstay check`: checks the repository for damage. */
import { InvalidArgumentError } from "commander";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { dataToRead, partOfData } from "../check/read/read-data-text.ts";
import type { CheckResult } from "../check/report/check-report.ts";
import { runCheck } from "../check/run-check.ts";
import { addExamples, type CliCommand, exitCodes, type Invocation } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";
import { assertPolicyAlone, assertPolicyFor, followTask } from "./daemon-task.ts";
import { checkView } from "./progress-check.ts";
import { withRepository } from "./repository-session.ts";

interface CheckOptions {
  readonly policy?: string;
  readonly from?: string;
  readonly readData?: boolean;
  readonly readDataSubset?: string;
}

export const checkCommand: CliCommand<CheckOptions> = {
  worksUnread: true,

  define(command) {
    command
      .option("--policy <name>", "let the daemon do it, of this policy's repository")
      .option("--from <repository>", "with --policy: an earlier repository of its pool")
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
    const { readDataSubset = options.readData === true ? "all" : "structure" } = options;
    if (options.policy !== undefined)
      return await checkByDaemon(invocation, options.policy, readDataSubset);
    assertPolicyFor(options);
    const readData = dataToRead(readDataSubset);
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

async function checkByDaemon(
  invocation: Invocation<CheckOptions>,
  policy: string,
  data: string,
): Promise<number> {
  assertPolicyAlone(invocation);
  const { from } = invocation.options;
  const client = daemonClient(invocation.environment);
  const { sessionId } = await client.check(
    { policy, data, ...(from !== undefined && { from }) },
    invocation.signal,
  );
  return await followTask(invocation, client, sessionId);
}

function subset(text: string): string {
  if (partOfData(text) === undefined)
    throw new InvalidArgumentError(
      "Write n/t with 1 <= n <= t <= 256, 2.5% (at most 100%) or 10G.",
    );
  return text;
}
