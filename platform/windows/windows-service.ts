/** A service of Windows that speaks with the service control manager itself. */
import type { ServiceControl, ServiceRequest } from "../ports/service-control.ts";
import { type ServiceCalls, serviceCalls } from "./advapi32-services.ts";
import { processCalls } from "./kernel32-processes.ts";
import {
  acceptedControls,
  decodeServiceCall,
  type ServiceCall,
  type ServiceNotice,
} from "./service-controls.ts";
import type { Handle } from "./windows-calls.ts";

const states = { stopped: 1, startPending: 2, stopPending: 3, running: 4 } as const;
type State = (typeof states)[keyof typeof states];
/** The manager gives up on a start that shows no progress for so long. */
const startHintMs = 120_000;

export class WindowsService implements ServiceControl {
  readonly kind = "windows";
  readonly watchdogMs = undefined;
  readonly #calls: ServiceCalls;
  readonly #listeners = new Set<(notice: ServiceNotice) => void>();
  #handle: Handle | undefined;
  #state: State = states.startPending;
  #hintMs = startHintMs;
  #checkPoint = 0;
  #request: ((request: ServiceRequest) => void) | undefined;

  /** Begins at once to be the service; `calls` are others than the system's, for tests. */
  constructor(calls: ServiceCalls = serviceCalls) {
    this.#calls = calls;
    // A process that is no service after all goes on without anybody to tell.
    this.#calls.dispatch(() => this.#begin()).catch(() => undefined);
  }

  /** Tells what the manager says, besides the wishes that `onRequest` gets; the result ends that. */
  listen(listener: (notice: ServiceNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ready(): void {
    this.#report(states.running, 0);
  }

  stopping(extraMs: number): void {
    this.#report(states.stopPending, Math.ceil(extraMs));
  }

  stopped(): void {
    this.#listeners.clear();
    this.#request = undefined;
    this.#report(states.stopped, 0);
  }

  onRequest(handler: (request: ServiceRequest) => void): void {
    this.#request = handler;
  }

  status(): void {}
  alive(): void {}
  reloading(): void {}

  /** The manager has called the service's main function: from now on it takes status, not before. */
  #begin(): void {
    this.#handle = this.#calls.registerHandler((call) => this.#take(call));
    this.#tell();
    try {
      this.#calls.watchDevices(this.#handle);
    } catch {
      // Then drives and power are only asked for now and then.
    }
  }

  /** The manager waits on another thread: what follows happens after this has returned. */
  #take(call: ServiceCall): void {
    const notice = decodeServiceCall(call);
    if (notice === undefined) return;
    if (notice.kind === "stop" || notice.kind === "shutdown")
      this.#report(states.stopPending, startHintMs);
    setImmediate(() => this.#pass(notice));
  }

  #pass(notice: ServiceNotice): void {
    for (const listener of this.#listeners) listener(notice);
    const wish = notice.kind === "shutdown" ? "stop" : notice.kind;
    if (wish !== "stop" && wish !== "reload") return;
    if (this.#request !== undefined) this.#request(wish);
    else if (wish === "stop") {
      this.stopped();
      process.exit(0);
    }
  }

  #report(state: State, hintMs: number): void {
    if (this.#state === states.stopped) return;
    this.#checkPoint = state === this.#state ? this.#checkPoint + 1 : 1;
    this.#state = state;
    this.#hintMs = hintMs;
    this.#tell();
  }

  #tell(): void {
    if (this.#handle === undefined) return;
    const isPending = this.#state === states.startPending || this.#state === states.stopPending;
    try {
      this.#calls.setStatus(this.#handle, {
        state: this.#state,
        accepted: this.#state === states.stopped ? 0 : acceptedControls,
        checkPoint: isPending ? Math.max(1, this.#checkPoint) : 0,
        waitHintMs: this.#hintMs,
      });
    } catch {
      // The manager has given up on this process, which ends in its own time.
    }
  }
}

let taken: WindowsService | undefined;

/** The service that this process is; undefined if the manager did not start it. Always the same one. */
export function takeWindowsService(): WindowsService | undefined {
  if (taken === undefined && isManagersChild()) taken = new WindowsService();
  return taken;
}

/** As above, without becoming one. */
export function takenWindowsService(): WindowsService | undefined {
  return taken;
}

function isManagersChild(): boolean {
  try {
    return /\\services\.exe$/i.test(processCalls.programOf(process.ppid) ?? "");
  } catch {
    return false;
  }
}
