/** The program `backstayd`: its arguments, its parts of this machine, its wishes from outside, its end. */
import { hostname } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { openClock } from "../../platform/open-clock.ts";
import { openNetwork } from "../../platform/open-network.ts";
import { openPower } from "../../platform/open-power.ts";
import { openProcessLimits } from "../../platform/open-process-limits.ts";
import { openRemovableMedia } from "../../platform/open-removable-media.ts";
import { openSecretKeeper } from "../../platform/open-secret-keeper.ts";
import { openServiceControl } from "../../platform/open-service-control.ts";
import { openSystemEvents } from "../../platform/open-system-events.ts";
import { openUserAccounts } from "../../platform/open-user-accounts.ts";
import { stateDirectory } from "../../platform/standard-paths.ts";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { programVersion } from "../../protocol/program-version.ts";
import { engineSpawner } from "../jobs/engine-spawner.ts";
import { Daemon } from "./daemon.ts";
import { type DaemonOptions, usualWatch } from "./daemon-options.ts";

const usage = `Usage: backstayd [--home DIR] [--foreground]

The daemon of Backstay: runs policies on their schedules and events. Usually the system's service manager starts it.

  --home DIR     keep configuration, state and socket in DIR (as BACKSTAY_HOME does)
  --foreground   show the log on this terminal too
  --version      show the version
  --help         show this
`;

/**
 * Runs the daemon until somebody ends it; resolves with the exit code. `environment` is the process's own, and changed;
 * `engineFile` the program of the engine. `change` is for tests.
 */
export async function runBackstayd(
  environment: Record<string, string | undefined>,
  engineFile: string,
  change: (options: DaemonOptions) => DaemonOptions = (options) => options,
): Promise<number> {
  const args = readArguments();
  if (typeof args === "number") return args;
  // Before anything is awaited: a wish that comes early must not end the process half started.
  const service = openServiceControl(environment);
  const early = Promise.withResolvers<Daemon | undefined>();
  const ended = Promise.withResolvers<void>();
  service.onRequest((request) => {
    void early.promise.then(async (daemon) => {
      if (request === "reload") {
        service.reloading();
        await daemon?.reload();
        service.ready("");
      } else {
        await daemon?.stop();
        ended.resolve();
      }
    });
  });
  if (args.home !== undefined) environment["BACKSTAY_HOME"] = path.resolve(args.home);
  try {
    const options = await machineOptions({ ...environment }, engineFile, service, args.foreground);
    const daemon = await Daemon.start(change(options));
    early.resolve(daemon);
    for (const event of ["uncaughtException", "unhandledRejection"] as const)
      process.on(event, (error: unknown) => daemon.reportMistake(error));
    await ended.promise;
    service.stopped();
    return 0;
  } catch (error) {
    early.resolve(undefined);
    process.stderr.write(`backstayd: ${startFailure(error)}\n`);
    service.stopped();
    return isBackstayError(error) ? error.exitCode : 1;
  }
}

function readArguments():
  | number
  | { readonly home: string | undefined; readonly foreground: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        home: { type: "string" },
        foreground: { type: "boolean", default: false },
        version: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help || values.version) {
      process.stdout.write(values.help ? usage : `backstayd ${programVersion}\n`);
      return 0;
    }
    return { home: values.home, foreground: values.foreground };
  } catch (error) {
    process.stderr.write(`backstayd: ${error instanceof Error ? error.message : String(error)}\n`);
    process.stderr.write(usage);
    return 1;
  }
}

async function machineOptions(
  environment: DaemonOptions["environment"],
  engineFile: string,
  service: DaemonOptions["service"],
  foreground: boolean,
): Promise<DaemonOptions> {
  // The journal names the stream that it listens on; a terminal of a service's user has that variable too.
  const isJournal = environment["JOURNAL_STREAM"] !== undefined && service.kind === "systemd";
  return {
    environment,
    service,
    clock: openClock(),
    limits: openProcessLimits(),
    events: openSystemEvents(environment),
    power: openPower(environment),
    network: openNetwork(environment),
    media: openRemovableMedia(environment),
    accounts: openUserAccounts(environment),
    secrets: await openSecretKeeper(stateDirectory(environment)),
    spawnEngine: engineSpawner({ file: engineFile, environment }),
    watch: usualWatch,
    hostName: hostname(),
    zone: () => Temporal.Now.timeZoneId(),
    ownUid: process.geteuid?.() ?? 0,
    isJournal,
    ...((isJournal || foreground) && { print: (text: string) => void process.stdout.write(text) }),
  };
}

function startFailure(error: unknown): string {
  if (isBackstayError(error)) return `${error.message}\n${error.remedy}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
