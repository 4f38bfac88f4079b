/** A service of systemd with `Type=notify`: what it says to the socket that the manager named in its environment. */
import { RequestSignals } from "../node/request-signals.ts";
import type { ServiceControl, ServiceRequest } from "../ports/service-control.ts";
import { NotifySocket } from "./notify-socket.ts";

type Environment = Record<string, string | undefined>;

const statusCharactersMax = 500;

/**
 * Undefined if no manager listens. Takes the manager's variables out of `environment`, so that children which inherit it
 * don't speak for this process.
 */
export function takeSystemdService(environment: Environment): ServiceControl | undefined {
  const socketName = take(environment, "NOTIFY_SOCKET") ?? "";
  const watchdogMicros = Number(take(environment, "WATCHDOG_USEC") ?? "");
  const watchdogProcess = take(environment, "WATCHDOG_PID") ?? "";
  const socket = NotifySocket.open(socketName);
  if (socket === undefined) return undefined;
  const isWatched = watchdogMicros > 0 && ["", String(process.pid)].includes(watchdogProcess);
  return new SystemdService(socket, isWatched ? watchdogMicros / 1000 : undefined);
}

class SystemdService implements ServiceControl {
  readonly kind = "systemd";
  readonly watchdogMs: number | undefined;
  readonly #socket: NotifySocket;
  readonly #signals = new RequestSignals({
    SIGTERM: () => "stop",
    SIGINT: () => "stop",
    SIGHUP: () => "reload",
  });
  #shownStatus: string | undefined;

  constructor(socket: NotifySocket, watchdogMs: number | undefined) {
    this.#socket = socket;
    this.watchdogMs = watchdogMs;
  }

  ready(status: string): void {
    this.#shownStatus = oneLine(status);
    this.#socket.send(`READY=1\nSTATUS=${this.#shownStatus}`);
  }

  status(text: string): void {
    const line = oneLine(text);
    if (line === this.#shownStatus) return;
    if (this.#socket.send(`STATUS=${line}`)) this.#shownStatus = line;
  }

  alive(): void {
    this.#socket.send("WATCHDOG=1");
  }

  reloading(): void {
    // By that time the manager tells an answer to its wish from one that was already under way.
    const monotonicMicros = process.hrtime.bigint() / 1000n;
    this.#socket.send(`RELOADING=1\nMONOTONIC_USEC=${monotonicMicros}`);
  }

  stopping(extraMs: number): void {
    this.#socket.send(`STOPPING=1\nEXTEND_TIMEOUT_USEC=${Math.ceil(extraMs * 1000)}`);
  }

  onRequest(handler: (request: ServiceRequest) => void): void {
    this.#signals.listen(handler);
  }

  stopped(): void {
    this.#signals.close();
    this.#socket.close();
  }
}

/** The first line of a text, without what else could end a line or the message. */
function oneLine(text: string): string {
  const [line] = text.split(/[\r\n\0]/, 1);
  return line.slice(0, statusCharactersMax);
}

function take(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  delete environment[name];
  return value;
}
