/**
 * Events of a Windows machine: what the service control manager tells its service at once, and what shows when it is asked
 * for now and then. A process that is no service has only the latter.
 */
import { ClockJumps, type ClockReading } from "../node/clock-jumps.ts";
import { addressesText } from "../node/interface-addresses.ts";
import { SessionList, type UserSession } from "../node/session-list.ts";
import { SleepState } from "../node/sleep-state.ts";
import { TimeZoneWatch } from "../node/time-zone-watch.ts";
import type { MountedFileSystem } from "../ports/removable-media.ts";
import type { Probe, SystemEvent, SystemEvents } from "../ports/system-events.ts";
import { registryCalls, registryRoots } from "./advapi32-registry.ts";
import { listDrives } from "./drives.ts";
import { powerCalls } from "./kernel32-power.ts";
import { processCalls } from "./kernel32-processes.ts";
import { decodePowerStatus } from "./power-status.ts";
import type { ServiceNotice } from "./service-controls.ts";
import { listUserSessions } from "./user-sessions.ts";

const tickMsDefault = 2_000;
/** What costs more is asked once in so many rounds. */
const sessionRounds = 5;
const driveRounds = 3;
const networkRounds = 3;
const powerRounds = 15;
/** A drive that has just come takes a moment until its file system can be read. */
const driveSettleMs = 1_000;
/** Volumes come and go in several steps. */
const driveLooks = 5;

const timeZoneKey = String.raw`SYSTEM\CurrentControlSet\Control\TimeZoneInformation`;

/** What the adapter asks the machine. */
export interface WindowsMachine {
  /** The manager's words, if this process is a service; the result of `listen` ends them. */
  readonly service: { listen(listener: (notice: ServiceNotice) => void): () => void } | undefined;
  sessions(): readonly UserSession[];
  drives(): Promise<readonly MountedFileSystem[]>;
  clocks(): ClockReading;
  timeZone(): string;
  addresses(): string;
  power(): string;
}

/** The machine itself; `service` as in `WindowsMachine`. */
export function thisMachine(service: WindowsMachine["service"]): WindowsMachine {
  return {
    service,
    sessions: listUserSessions,
    drives: listDrives,
    clocks: () => ({
      wallMs: Date.now(),
      awakeMs: processCalls.awakeMs(),
      bootMs: processCalls.uptimeMs(),
    }),
    timeZone: () => registryCalls.text(registryRoots.machine, timeZoneKey, "TimeZoneKeyName") ?? "",
    addresses: addressesText,
    power: () => JSON.stringify(decodePowerStatus(powerCalls.powerStatus())),
  };
}

export interface WindowsSystemEventsOptions {
  readonly machine: WindowsMachine;
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
  readonly #machine: WindowsMachine;
  readonly #emit: (event: SystemEvent) => void;
  readonly #sessions: SessionList;
  readonly #sleep: SleepState;
  readonly #jumps: ClockJumps;
  readonly #zone: TimeZoneWatch;
  readonly #tickMs: number;
  #sessionProblem = "";
  /** What the manager said of sessions. */
  readonly #locks = new Map<string, boolean>();
  readonly #loggedOff = new Set<string>();
  #drives: ReadonlyMap<string, MountedFileSystem> | undefined;
  #lookingAtDrives: Promise<void> = Promise.resolve();
  #driveLooksLeft = 0;
  #addresses: string;
  #power: string;
  #rounds = 0;
  #ticker: NodeJS.Timeout | undefined;
  #driveTimer: NodeJS.Timeout | undefined;
  #unlisten: (() => void) | undefined;
  #hasStopped = false;

  constructor({ machine, tickMs }: WindowsSystemEventsOptions, emit: (event: SystemEvent) => void) {
    this.#machine = machine;
    this.#tickMs = tickMs ?? tickMsDefault;
    this.#emit = (event) => {
      if (!this.#hasStopped) emit(event);
    };
    this.#sessions = new SessionList(this.#emit);
    this.#sleep = new SleepState(this.#emit, () => machine.clocks().awakeMs);
    this.#jumps = new ClockJumps(machine.clocks());
    this.#zone = new TimeZoneWatch(() => machine.timeZone());
    this.#addresses = machine.addresses();
    this.#power = machine.power();
  }

  get isLocked(): boolean | undefined {
    return this.#sessions.isAnyLocked;
  }

  async start(): Promise<ReadonlyMap<string, Probe>> {
    const { service } = this.#machine;
    this.#lookAtSessions();
    await this.#lookAtDrives();
    this.#unlisten = service?.listen((notice) => this.#notice(notice));
    this.#ticker = setInterval(() => this.#tick(), this.#tickMs);
    const manager = "the service control manager";
    const asked = "asked for now and then, as this process is no service";
    const isService = service !== undefined;
    return new Map([
      ["sessions", sessionProbe(this.#sessionProblem, isService ? manager : asked)],
      ["sleep", { available: true, reason: isService ? manager : "the clocks, after the fact" }],
      [
        "shutdown",
        { available: isService, reason: isService ? manager : "only a service is told of it" },
      ],
      ["mounts", { available: true, reason: isService ? `drive letters, and ${manager}` : asked }],
      ["network", { available: true, reason: "addresses, asked for now and then" }],
      ["power", { available: true, reason: isService ? manager : asked }],
      ["time", { available: true, reason: "the clocks and the registry" }],
    ]);
  }

  async stop(): Promise<void> {
    this.#hasStopped = true;
    this.#unlisten?.();
    clearInterval(this.#ticker);
    clearInterval(this.#driveTimer);
    await this.#lookingAtDrives;
  }

  #notice(notice: ServiceNotice): void {
    if (notice.kind === "session") this.#sessionChanged(notice.change, String(notice.session));
    else if (notice.kind === "shutdown") this.#emit({ kind: "shutdown" });
    else if (notice.kind === "time") this.#compareClocks();
    else if (notice.kind === "devices") this.#expectDrives();
    else if (notice.kind === "power") {
      if (notice.change === "supply") this.#comparePower();
      else this.#sleep.announced(notice.change === "sleep");
    }
  }

  /** The list shows it a moment later than the manager tells it: the manager's word stands. */
  #sessionChanged(change: "lock" | "unlock" | "log-on" | "log-off", session: string): void {
    if (change === "log-off") {
      this.#locks.delete(session);
      this.#loggedOff.add(session);
    } else {
      this.#loggedOff.delete(session);
      this.#locks.set(session, change === "lock");
    }
    this.#lookAtSessions();
  }

  #lookAtSessions(): void {
    try {
      const sessions = this.#machine.sessions();
      const listed = new Set(sessions.map(({ session }) => session));
      for (const gone of this.#loggedOff) if (!listed.has(gone)) this.#loggedOff.delete(gone);
      this.#sessions.update(
        sessions
          .filter(({ session }) => !this.#loggedOff.has(session))
          .map((each) => ({
            ...each,
            isLocked: this.#locks.get(each.session) ?? each.isLocked,
          })),
      );
      this.#sessionProblem = "";
    } catch (error) {
      this.#sessionProblem = error instanceof Error ? error.message : String(error);
    }
  }

  #tick(): void {
    this.#rounds += 1;
    const slept = this.#compareClocks();
    if (this.#rounds % sessionRounds === 0) this.#lookAtSessions();
    if (this.#rounds % driveRounds === 0) void this.#lookAtDrives();
    if (slept || this.#rounds % networkRounds === 0) this.#compareAddresses();
    if (slept || this.#rounds % powerRounds === 0) this.#comparePower();
  }

  /** True if the machine slept since the last time. */
  #compareClocks(): boolean {
    const { slept, wasSet } = this.#jumps.next(this.#machine.clocks());
    if (slept) this.#sleep.noticed();
    if (this.#zone.hasChanged() || wasSet) this.#emit({ kind: "time-change" });
    return slept;
  }

  #compareAddresses(): void {
    const addresses = this.#machine.addresses();
    if (addresses !== this.#addresses) this.#emit({ kind: "network-change" });
    this.#addresses = addresses;
  }

  #comparePower(): void {
    const power = this.#machine.power();
    if (power !== this.#power) this.#emit({ kind: "power-change" });
    this.#power = power;
  }

  #expectDrives(): void {
    this.#driveLooksLeft = driveLooks;
    void this.#lookAtDrives();
    this.#driveTimer ??= setInterval(() => {
      this.#driveLooksLeft -= 1;
      void this.#lookAtDrives();
      if (this.#driveLooksLeft > 0) return;
      clearInterval(this.#driveTimer);
      this.#driveTimer = undefined;
    }, driveSettleMs);
  }

  /** One look after the other; rejects never. */
  #lookAtDrives(): Promise<void> {
    this.#lookingAtDrives = this.#lookingAtDrives.then(async () => {
      const found = await this.#machine.drives().catch(() => undefined);
      if (found === undefined) return;
      const before = this.#drives;
      this.#drives = new Map(found.map((drive) => [`${drive.path} ${drive.id ?? ""}`, drive]));
      if (before === undefined) return;
      for (const [key, drive] of before)
        if (!this.#drives.has(key)) this.#emit({ kind: "unmounted", ...placeOf(drive) });
      for (const [key, drive] of this.#drives)
        if (!before.has(key)) this.#emit({ kind: "mounted", ...placeOf(drive) });
    });
    return this.#lookingAtDrives;
  }
}

function placeOf({ path, id }: MountedFileSystem): {
  readonly path: string;
  readonly fileSystemId?: string;
} {
  return id === undefined ? { path } : { path, fileSystemId: id };
}

function sessionProbe(problem: string, source: string): Probe {
  return { available: problem === "", reason: problem === "" ? source : problem };
}
