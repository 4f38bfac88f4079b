/** The program `backstay-server`: arguments in, exit code out. */
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { errorCatalog } from "../../protocol/error-catalog.ts";
import { parseCommandLine } from "./command-line.ts";
import type { Environment } from "./environment.ts";
import { ManagementClient } from "./management-client.ts";
import { nounTable } from "./noun-table.ts";
import { serverAccess } from "./server-connection.ts";
import { shownText } from "./text-table.ts";
import type { Shown, VerbStreams } from "./verb.ts";

/** Why everything ends: the signal of the system. */
class Interruption extends Error {}

/** Runs the command that this process was started for, and ends the process with its exit code. */
export async function runServerProgram(environment: Environment): Promise<never> {
  const args = process.argv.slice(2);
  const json = args.includes("--json");
  const controller = new AbortController();
  const streams = processStreams();
  let signals = 0;
  const interrupt = (): void => {
    signals += 1;
    if (signals > 1) process.exit(130);
    controller.abort(new Interruption());
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  process.stdout.on("error", () => process.exit(1));
  try {
    const shown = await runCommandLine(args, environment, streams, controller.signal);
    if (shown.json !== undefined && json)
      await streams.write(`${JSON.stringify(shown.json, null, 2)}\n`);
    else if (shown.lines.length > 0) await streams.write(`${shown.lines.join("\n")}\n`);
    process.exit(shown.exitCode ?? 0);
  } catch (error) {
    if (error instanceof Interruption) process.exit(130);
    process.exit(await reportFailure(error, streams, json));
  }
}

/** Runs one command line. Rejects with a BackstayError or the signal's reason. */
export async function runCommandLine(
  args: readonly string[],
  environment: Environment,
  io: VerbStreams,
  signal: AbortSignal,
): Promise<Shown> {
  const request = await parseCommandLine(nounTable, args);
  if (request.kind === "help") return { json: undefined, lines: [request.text.trimEnd()] };
  const { verb, operands, options } = request;
  let client: ManagementClient | undefined;
  try {
    return await verb.run({
      operands,
      options,
      io,
      environment,
      signal,
      client: async () =>
        (client ??= new ManagementClient(await serverAccess(options, environment), signal)),
    });
  } finally {
    await client?.close();
  }
}

/** Tells what happened and what to do; with --json as an object on standard error. Resolves with the exit code. */
async function reportFailure(error: unknown, io: VerbStreams, json: boolean): Promise<number> {
  const known = isBackstayError(error)
    ? error
    : new BackstayError("INTERNAL", {
        problem: error instanceof Error ? error.message : String(error),
      });
  const usage = known.code === "USAGE";
  const remedy = usage
    ? "Run `backstay-server help` or `backstay-server help COMMAND` for what it takes."
    : known.remedy;
  if (json) {
    const { code, message, context, exitCode } = known;
    io.note(JSON.stringify({ error: { code, message, context, remedy, exitCode } }));
    return exitCode;
  }
  io.note(`error: ${shownText(known.message)}`);
  io.note(`  ${remedy}`);
  if (known.code === "INTERNAL" && error instanceof Error) {
    const trace = (error.stack ?? "")
      .split("\n")
      .filter((line) => line.trimStart().startsWith("at "));
    for (const line of trace.slice(0, 12)) io.note(`  ${shownText(line.trim())}`);
  }
  return errorCatalog[known.code].exitCode;
}

function processStreams(): VerbStreams {
  return {
    input: process.stdin,
    write: async (bytes) =>
      await new Promise((resolve) => {
        process.stdout.write(bytes, () => resolve());
      }),
    note: (line) => void process.stderr.write(`${line}\n`),
  };
}
