/**
 * Events of a Windows machine: what the service control manager tells its service at once, and what shows when it is asked
 * for now and then. A process that is no service has only the latter.
 */
import { addressesText } from "../node/interface-addresses.ts";
import { PolledEvents, type PolledMachine, type PollingPace } from "../node/polled-events.ts";
import type { UserSession } from "../node/session-list.ts";
import type { Probe, SystemEvent, SystemEvents } from "../ports/system-events.ts";
import { registryCalls, registryRoots } from "./advapi32-registry.ts";
import { listDrives } from "./drives.ts";
import { powerCalls } from "./kernel32-power.ts";
import { processCalls } from "./kernel32-processes.ts";
import { decodePowerStatus } from "./power-status.ts";
import type { ServiceNotice } from "./service-controls.ts";
import { listUserSessions } from "./user-sessions.ts";

const tickMsDefault = 2_000;
const rounds: PollingPace["rounds"] = { sessions: 5, drives: 3, network: 3, power: 15 };
const timeZoneKey = String.raw`SYSTEM\CurrentControlSet\Control\TimeZoneInformation`;

/** A service's source of notices; the result of `listen` ends them. */
export interface NoticeSource {
  listen(listener: (notice: ServiceNotice) => void): () => void;
}

export const thisMachine: PolledMachine = {
  sessions: async () => listUserSessions(),
  drives: async () => await listDrives(),
  power: async () => JSON.stringify(decodePowerStatus(powerCalls.powerStatus())),
  addresses: addressesText,
  timeZone: () => registryCalls.text(registryRoots.machine, timeZoneKey, "TimeZoneKeyName") ?? "",
  clocks: () => ({
    wallMs: Date.now(),
    awakeMs: processCalls.awakeMs(),
    bootMs: processCalls.uptimeMs(),
  }),
};

export interface WindowsSystemEventsOptions {
  /** Undefined if this process is no service. */
  readonly service: NoticeSource | undefined;
  /** Another than this one, for tests. */
  readonly machine?: PolledMachine;
  /** Between two rounds of questions, for tests. */
  readonly tickMs?: number;
}

export class WindowsSystemEvents implements SystemEvents {
  readonly #options: WindowsSystemEventsOptions;
  #running: Running | undefined;

  constructor(options: WindowsSystemEventsOptions) {
    this.#options = options;
  }

  async start(emit: (event: SystemEvent) => void): Promise<ReadonlyMap<string, Probe>> {
    await this.stop();
    this.#running = new Running(this.#options, emit);
    return await this.#running.start();
  }

  isLocked(): Promise<boolean | undefined> {
    return Promise.resolve(this.#running?.isLocked);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }
}

/** Everything between one start and its stop. */
class Running {
  readonly #service: NoticeSource | undefined;
  readonly #events: PolledEvents;
  /** What the manager said of sessions. */
  readonly #locks = new Map<string, boolean>();
  readonly #loggedOff = new Set<string>();
  #unlisten: (() => void) | undefined;

  constructor(
    { service, machine = thisMachine, tickMs = tickMsDefault }: WindowsSystemEventsOptions,
    emit: (event: SystemEvent) => void,
  ) {
    this.#service = service;
    const sessions = async (): Promise<readonly UserSession[]> =>
      this.#asTold(await machine.sessions());
    this.#events = new PolledEvents({ ...machine, sessions }, { tickMs, rounds }, emit);
  }

  get isLocked(): boolean | undefined {
    return this.#events.isLocked;
  }

  async start(): Promise<ReadonlyMap<string, Probe>> {
    await this.#events.start();
    this.#unlisten = this.#service?.listen((notice) => this.#notice(notice));
    const isService = this.#service !== undefined;
    const manager = "the service control manager";
    const source = isService ? manager : "asked for now and then, as this process is no service";
    const problem = this.#events.sessionProblem;
    return new Map([
      ["sessions", { available: problem === "", reason: problem === "" ? source : problem }],
      ["sleep", { available: true, reason: isService ? manager : "the clocks, after the fact" }],
      [
        "shutdown",
        { available: isService, reason: isService ? manager : "only a service is told of it" },
      ],
      ["mounts", { available: true, reason: isService ? `drive letters, and ${manager}` : source }],
      ["network", { available: true, reason: "addresses, asked for now and then" }],
      ["power", { available: true, reason: source }],
      ["time", { available: true, reason: "the clocks and the registry" }],
    ]);
  }

  async stop(): Promise<void> {
    this.#unlisten?.();
    await this.#events.stop();
  }

  #notice(notice: ServiceNotice): void {
    if (notice.kind === "session") this.#sessionChanged(notice.change, String(notice.session));
    else if (notice.kind === "shutdown") this.#events.tell({ kind: "shutdown" });
    else if (notice.kind === "time") this.#events.compareClocks();
    else if (notice.kind === "devices") this.#events.expectDrives();
    else if (notice.kind === "power") {
      if (notice.change === "supply") void this.#events.comparePower();
      else this.#events.sleepAnnounced(notice.change === "sleep");
    }
  }

  #sessionChanged(change: "lock" | "unlock" | "log-on" | "log-off", session: string): void {
    if (change === "log-off") {
      this.#locks.delete(session);
      this.#loggedOff.add(session);
    } else {
      this.#loggedOff.delete(session);
      this.#locks.set(session, change === "lock");
    }
    void this.#events.lookAtSessions();
  }

  /** The list shows a change a moment later than the manager tells it: the manager's word stands. */
  #asTold(sessions: readonly UserSession[]): readonly UserSession[] {
    const listed = new Set(sessions.map(({ session }) => session));
    for (const gone of this.#loggedOff) if (!listed.has(gone)) this.#loggedOff.delete(gone);
    return sessions
      .filter(({ session }) => !this.#loggedOff.has(session))
      .map((each) => ({ ...each, isLocked: this.#locks.get(each.session) ?? each.isLocked }));
  }
}
