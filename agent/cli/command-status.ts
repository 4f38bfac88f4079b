/** `backstay status`: whether everything is backed up, and what is wrong if it is not. */
import type { StatusReport } from "../../protocol/local-api/status.ts";
import { addExamples, type CliCommand, exitCodes, type Invocation } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";
import type { Screen } from "./screen.ts";
import { statusLines } from "./status-text.ts";
import { coloured, showsColours, type ToneLine } from "./tone-line.ts";

interface StatusOptions {
  readonly watch?: boolean;
}

/** Ages change by themselves. */
const redrawMs = 1_000;

export const statusCommand: CliCommand<StatusOptions> = {
  endsByInterruption: true,

  define(command) {
    command.option("-w, --watch", "show it again whenever something changes, until Ctrl-C");
    addExamples(command, ["backstay status", "backstay status --json | jq .health.level"]);
    command.addHelpText("after", "\nExit code: 0 all is well, 3 a warning, 1 something is wrong.");
  },

  async run(invocation) {
    const { environment, options, signal } = invocation;
    const client = daemonClient(environment);
    if (options.watch === true) return await watch(invocation);
    const report = await client.status(signal);
    show(invocation, report);
    return exitCodeOf(report);
  },
};

function exitCodeOf({ health }: StatusReport): number {
  return { ok: exitCodes.done, warning: exitCodes.incomplete, error: exitCodes.failed }[
    health.level
  ];
}

function show({ screen, globals, environment }: Invocation, report: StatusReport): void {
  if (globals.json) screen.line(JSON.stringify(report));
  else
    for (const line of statusLines(report, report.timeMs))
      screen.line(inColour(screen, environment, line));
}

function inColour(
  screen: Screen,
  environment: Invocation["environment"],
  { text, tone }: ToneLine,
): string {
  return showsColours(screen.canRedraw, environment) ? coloured(text, tone) : text;
}

/** On a terminal in one place, elsewhere one after the other. */
async function watch(invocation: Invocation<StatusOptions>): Promise<number> {
  const { screen, globals, signal, environment } = invocation;
  const isInPlace = screen.canRedraw && !globals.json;
  let latest: StatusReport | undefined;
  let receivedMs = 0;
  const draw = (): void => {
    if (latest === undefined) return;
    const lines = statusLines(latest, latest.timeMs + performance.now() - receivedMs);
    screen.drawBlock(
      lines.map(({ text }) => text),
      (text, at) => inColour(screen, environment, { text, tone: lines[at].tone }),
    );
  };
  const timer = isInPlace ? setInterval(draw, redrawMs) : undefined;
  try {
    for await (const report of daemonClient(environment).watch(signal)) {
      latest = report;
      receivedMs = performance.now();
      if (isInPlace) draw();
      else {
        show(invocation, report);
        if (!globals.json) screen.line();
        await screen.settle();
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(timer);
  }
  return exitCodes.interrupted;
}
