/** The program: arguments in, exit code out. */
import { processArguments } from "../../platform/process-arguments.ts";
import { type CliCommand, exitCodes } from "./command.ts";
import { parseCommandLine } from "./command-line.ts";
import { commandTable } from "./command-table.ts";
import type { Environment } from "./environment.ts";
import { describeFailure, showFailure } from "./error-report.ts";
import { readGlobals } from "./global-options.ts";
import { ReaderGone, watchInterruption } from "./interruption.ts";
import { Screen } from "./screen.ts";

/** Runs the command that this process was started for, and ends the process with its exit code. */
export async function runProgram(): Promise<never> {
  const screen = new Screen({
    stdout: process.stdout,
    stderr: process.stderr,
    terminal: process.env["TERM"],
  });
  const args = processArguments();
  const json = asksForJson(args);
  let saysInterruptions = true;
  const controller = watchInterruption(
    (cause) => {
      if (saysInterruptions) screen.note(interruptionNote(cause, json));
    },
    () => screen.eraseBlock(),
  );
  const fail = async (error: unknown): Promise<never> => {
    const report = describeFailure(error, controller.signal);
    showFailure(screen, report, json);
    return await end(screen, report.exitCode);
  };
  process.on("uncaughtException", (error) => void fail(error));
  try {
    const exitCode = await runCommand(args, screen, controller, process.env, (command) => {
      saysInterruptions = command.endsByInterruption !== true;
    });
    return await end(screen, exitCode);
  } catch (error) {
    return await fail(error);
  }
}

async function runCommand(
  args: readonly string[],
  screen: Screen,
  controller: AbortController,
  environment: Environment,
  chosen: (command: CliCommand) => void,
): Promise<number> {
  const request = await parseCommandLine(commandTable, args);
  if (request.kind === "help") {
    screen.print(request.text);
    return exitCodes.done;
  }
  const { command, operands, options } = request;
  chosen(command);
  if (command.worksUnread !== true) screen.onReaderGone = () => controller.abort(new ReaderGone());
  return await command.run({
    operands,
    options: { ...options },
    globals: readGlobals(options, environment),
    screen,
    signal: controller.signal,
    environment,
    commands: commandTable,
  });
}

async function end(screen: Screen, exitCode: number): Promise<never> {
  await screen.finish();
  process.exit(exitCode);
}

/** Failures of the command line itself must know it too, before anything is parsed. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? args.length : end).includes("--json");
}

function interruptionNote(cause: string, json: boolean): string {
  const text = `${cause} received: ending in order; once more ends at once`;
  return json ? JSON.stringify({ message_type: "interrupted", message: text }) : text;
}
