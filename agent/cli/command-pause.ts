/** `backstay pause`: no scheduled run starts until then. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";
import { parsePauseEnd } from "./pause-end.ts";
import { spokenMoment } from "./spoken-time.ts";

interface PauseOptions {
  readonly policy?: string;
}

export const pauseCommand: CliCommand<PauseOptions> = {
  worksUnread: true,

  define(command) {
    command
      .argument(
        "[time...]",
        "`2h`, `1d12h`, `until 22:00`, `until 2026-03-01 12:00`; no end if absent",
      )
      .option("--policy <name>", "only this policy");
    addExamples(command, [
      "backstay pause 2h",
      "backstay pause until 22:00 --policy etc",
      "backstay pause",
    ]);
    command.addHelpText(
      "after",
      "\nWhat runs goes on, and `backstay run` works all the same; `backstay resume` ends it earlier.",
    );
  },

  async run({ operands, options, environment, screen, globals, signal }) {
    const nowMs = Date.now();
    const untilMs = operands.length === 0 ? undefined : parsePauseEnd(operands, nowMs);
    if (operands.length > 0 && untilMs === undefined)
      throw new BackstayError("USAGE", {
        problem: `"${operands.join(" ")}" is no time to come: write 2h, 1d12h, until 22:00 or until 2026-03-01 12:00`,
      });
    const { policy } = options;
    const pause = await daemonClient(environment).pause(
      {
        ...(policy === undefined ? {} : { policy }),
        ...(untilMs === undefined ? {} : { untilMs }),
      },
      signal,
    );
    const what = policy ?? "all policies";
    const end =
      pause.untilMs === undefined
        ? "until `backstay resume`"
        : `until ${spokenMoment(pause.untilMs, nowMs).replace(/^on /, "")}`;
    if (globals.json) screen.line(JSON.stringify({ message_type: "paused", ...pause }));
    else if (!globals.quiet) screen.line(`paused ${what} ${end}`);
    return exitCodes.done;
  },
};
