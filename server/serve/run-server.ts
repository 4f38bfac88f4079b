/** A server in a process of its own: as a service of the system, or by hand until somebody ends it. */
import { openServiceControl } from "../../platform/open-service-control.ts";
import { openJsonLog } from "../ground/json-log.ts";
import type { ServerOptions } from "./server-options.ts";
import { type RunningServer, startServer } from "./start-server.ts";

export interface ServerProcess {
  /** Of the process itself; what is meant for it alone is taken out. */
  readonly environment: Record<string, string | undefined>;
  /** Shows people what they need once, and never in the log: where the server is, and the first token. */
  readonly show: (line: string) => void;
}

/** Resolves once the server has stopped, as it is told by signals or the service manager. Rejects as startServer does. */
export async function runServer(
  options: ServerOptions,
  { environment, show }: ServerProcess,
): Promise<void> {
  const service = openServiceControl(environment);
  const ended = Promise.withResolvers<void>();
  const starting = Promise.withResolvers<RunningServer | undefined>();
  // Before anything is awaited: a wish that comes early must not end the process half started.
  service.onRequest((request) => {
    void starting.promise.then(async (server) => {
      if (request === "stop") {
        service.stopping(40_000);
        await server?.stop();
        ended.resolve();
        return;
      }
      service.reloading();
      await server?.reloadCertificate().catch((error: unknown) => {
        show(`The certificate stays as it is: ${String(error)}`);
      });
      service.ready("");
    });
  });
  dieLoudly(options);
  try {
    // What a service shows goes into a log, which is no place for a token.
    const server = await startServer({ ...options, makesFirstAdmin: service.kind === "none" });
    for (const line of welcome(server)) show(line);
    service.ready(`Listens at ${server.url}`);
    const heartbeat = keepAlive(service.watchdogMs, () => service.alive());
    starting.resolve(server);
    await ended.promise;
    clearInterval(heartbeat);
  } catch (error) {
    starting.resolve(undefined);
    throw error;
  } finally {
    service.stopped();
  }
}

/** What nobody foresaw ends the process, as its state can't be trusted; the log says why, without secrets. */
function dieLoudly({ now, writeLog }: ServerOptions): void {
  const log = openJsonLog({ now, level: "error", write: writeLog });
  process.once("uncaughtException", (error: unknown) => {
    log.failure("The server has made a mistake and ends.", error);
    process.exit(1);
  });
}

function welcome({ url, publicUrls, pin, firstAdminToken }: RunningServer): string[] {
  const lines = [
    `backstay-server listens at ${url}`,
    `  for agents: ${publicUrls.join(", ")}`,
    `  pin: ${pin}`,
  ];
  if (firstAdminToken !== undefined)
    lines.push(
      "",
      "This is the token of the first administrator. It is shown this once and never again:",
      "",
      `  ${firstAdminToken}`,
      "",
    );
  return lines;
}

function keepAlive(watchdogMs: number | undefined, alive: () => void): NodeJS.Timeout | undefined {
  return watchdogMs === undefined ? undefined : setInterval(alive, watchdogMs / 2).unref();
}
