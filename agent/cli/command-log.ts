/** `backstay log`: the end of the daemon's log, and what comes after it. */
import { InvalidArgumentError } from "commander";
import type { LogLine, LogMessage } from "../../protocol/local-api/log-line.ts";
import { addExamples, type CliCommand, exitCodes, type Invocation } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";
import { printedMessage } from "./printed-text.ts";
import { counted, formatLocalTime } from "./quantities.ts";

interface LogOptions {
  readonly follow?: boolean;
  readonly lines: number;
}

export const logCommand: CliCommand<LogOptions> = {
  endsByInterruption: true,

  define(command) {
    command
      .option("-f, --follow", "go on with what is written, until Ctrl-C")
      .option("-n, --lines <n>", "so many lines of what was, 0 to 10000 (50)", lineCount, 50);
    addExamples(command, ["backstay log -f", "backstay log --lines 1000 --json"]);
  },

  async run(invocation) {
    const { options, environment, screen, signal } = invocation;
    const isFollowed = options.follow === true;
    try {
      for await (const message of daemonClient(environment).log(
        options.lines,
        isFollowed,
        signal,
      )) {
        show(invocation, message);
        await screen.settle();
      }
      return exitCodes.done;
    } catch (error) {
      if (!signal.aborted) throw error;
      return exitCodes.interrupted;
    }
  },
};

function show({ screen, globals }: Invocation, message: LogMessage): void {
  if (message.type === "lost")
    screen.note(`${counted(message.count, "line")} left out: too much at once`);
  if (message.type !== "line") return;
  screen.line(globals.json ? JSON.stringify(message.line) : lineText(message.line));
}

function lineText({ timeMs, level, text, fields }: LogLine): string {
  const facts = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
  const words = [formatLocalTime(timeMs / 1000), level.padEnd(7), text, ...facts].join(" ");
  return printedMessage(words);
}

function lineCount(text: string): number {
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value > 10_000)
    throw new InvalidArgumentError("Give a whole number from 0 to 10000.");
  return value;
}
