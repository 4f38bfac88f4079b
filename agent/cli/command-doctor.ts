/** `backstay doctor`: looks at everything that backups on this machine rest on. */
import { processIdentity } from "../../platform/process-identity.ts";
import {
  cacheDirectory,
  configDirectory,
  runtimeDirectory,
  stateDirectory,
} from "../../platform/standard-paths.ts";
import { type BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { DoctorCheck } from "../../protocol/local-api/doctor-check.ts";
import type { AgentDirectory } from "../doctor/directory-checks.ts";
import { machineChecks } from "../doctor/machine-checks.ts";
import { addExamples, type CliCommand, exitCodes, type Invocation } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";
import type { Environment } from "./environment.ts";
import { printedMessage } from "./printed-text.ts";
import { coloured, showsColours, type Tone } from "./tone-line.ts";

type Verdict = DoctorCheck["verdict"];

const tones: Readonly<Record<Verdict, Tone>> = {
  good: "good",
  warning: "warning",
  bad: "bad",
  unknown: "faint",
};

export const doctorCommand: CliCommand = {
  define(command) {
    addExamples(command, ["backstay doctor"]);
    command.addHelpText("after", "\nExit code: 0 all is well, 3 a warning, 1 something is wrong.");
  },

  async run(invocation) {
    const checks = await doctorChecks(invocation);
    if (invocation.globals.json) invocation.screen.line(JSON.stringify({ checks }));
    else for (const check of checks) showCheck(invocation, check);
    return exitCodeOf(checks);
  },
};

/** What the daemon found, after whether it answers; without it what can be seen from here. */
export async function doctorChecks({
  environment,
  signal,
}: Pick<Invocation, "environment" | "signal">): Promise<DoctorCheck[]> {
  const head = { code: "daemon", title: "daemon of this machine" };
  try {
    const { checks } = await daemonClient(environment).doctor(signal);
    const text = "It answers, and looked at the rest.";
    return [{ ...head, verdict: "good", text, remedy: "" }, ...checks];
  } catch (error) {
    if (!isBackstayError(error)) throw error;
    const { message: text, remedy } = error as BackstayError;
    return [
      { ...head, verdict: "bad", text, remedy },
      ...machineChecks({
        directories: agentDirectories(environment),
        ownUid: processIdentity().uid,
        nowMs: Date.now(),
      }),
    ];
  }
}

function agentDirectories(environment: Environment): AgentDirectory[] {
  const cache = cacheDirectory(environment);
  return [
    { path: configDirectory(environment), purpose: "configuration" },
    { path: stateDirectory(environment), purpose: "state" },
    { path: runtimeDirectory(environment), purpose: "runtime" },
    ...(cache === undefined ? [] : [{ path: cache, purpose: "cache" } as const]),
  ];
}

function showCheck({ screen, environment }: Invocation, check: DoctorCheck): void {
  const isColourful = showsColours(screen.canRedraw, environment);
  const word = check.verdict.padEnd(8);
  const shown = isColourful ? coloured(word, tones[check.verdict]) : word;
  screen.line(`${shown}${printedMessage(check.title)}: ${printedMessage(check.text)}`);
  if (check.remedy !== "") screen.line(`        ${printedMessage(check.remedy)}`);
}

function exitCodeOf(checks: readonly DoctorCheck[]): number {
  if (checks.some(({ verdict }) => verdict === "bad")) return exitCodes.failed;
  return checks.some(({ verdict }) => verdict === "warning")
    ? exitCodes.incomplete
    : exitCodes.done;
}
