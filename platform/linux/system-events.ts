/** Events of a Linux machine: logind, UPower, NetworkManager and udisks2 over the system bus; the rest from the kernel. */
import { ClockJumps } from "../node/clock-jumps.ts";
import { SleepState } from "../node/sleep-state.ts";
import { lookOfFile, TimeZoneWatch } from "../node/time-zone-watch.ts";
import type { Probe, SystemEvent, SystemEvents } from "../ports/system-events.ts";
import { openClocks } from "./clocks.ts";
import {
  asDictionary,
  type DbusConnection,
  type DbusSignal,
  dbusReason,
} from "./dbus-connection.ts";
import { DbusWatch } from "./dbus-watch.ts";
import { LoginSessions, sessionRules } from "./login-sessions.ts";
import { MountWatch } from "./mount-watch.ts";
import { networkPlace } from "./network-places.ts";
import { readSupplies } from "./power-supplies.ts";

/** What has no event of its own is asked this often; one round costs some microseconds. */
const tickMsDefault = 2_000;
/** What costs more is asked once in so many rounds. */
const networkRounds = 5;
const powerRounds = 15;
/** NetworkManager says a change in many pieces. */
const networkSettleMs = 500;

const services = {
  login: "org.freedesktop.login1",
  upower: "org.freedesktop.UPower",
  network: "org.freedesktop.NetworkManager",
  disks: "org.freedesktop.UDisks2",
} as const;
const loginManager = "org.freedesktop.login1.Manager";
const busName = "org.freedesktop.DBus";
const propertiesInterface = "org.freedesktop.DBus.Properties";
const objectsInterface = "org.freedesktop.DBus.ObjectManager";
const disksFileSystem = "org.freedesktop.UDisks2.Filesystem";
const powerPath = "/org/freedesktop/UPower";
const networkPath = "/org/freedesktop/NetworkManager";

/** Properties of NetworkManager and UPower whose change is an event. */
const networkProperties = [
  "State",
  "Connectivity",
  "PrimaryConnection",
  "ActiveConnections",
  "Metered",
];
const powerProperties = ["OnBattery", "Percentage", "State", "IsPresent"];

const rules: readonly string[] = [
  ...sessionRules,
  `type='signal',sender='${services.login}',interface='${loginManager}',member='PrepareForSleep'`,
  `type='signal',sender='${services.login}',interface='${loginManager}',member='PrepareForShutdown'`,
  `type='signal',sender='${busName}',interface='${busName}',member='NameOwnerChanged',arg0='${services.login}'`,
  `type='signal',sender='${services.upower}',path='${powerPath}',member='PropertiesChanged'`,
  `type='signal',sender='${services.upower}',path='${powerPath}/devices/DisplayDevice',member='PropertiesChanged'`,
  `type='signal',sender='${services.network}',path='${networkPath}',member='PropertiesChanged'`,
  `type='signal',sender='${services.disks}',interface='${objectsInterface}'`,
  `type='signal',sender='${services.disks}',interface='${propertiesInterface}',arg0='${disksFileSystem}'`,
];

export interface LinuxSystemEventsOptions {
  /** Address of the system bus. */
  readonly bus: string;
  /** Another root of sysfs, for tests. */
  readonly sysfs?: string;
  /** Another link to the time zone, for tests. */
  readonly localtime?: string;
  /** Between two rounds of questions, for tests. */
  readonly tickMs?: number;
}

export class LinuxSystemEvents implements SystemEvents {
  readonly #options: LinuxSystemEventsOptions;
  #running: Running | undefined;

  constructor(options: LinuxSystemEventsOptions) {
    this.#options = options;
  }

  async start(emit: (event: SystemEvent) => void): Promise<ReadonlyMap<string, Probe>> {
    await this.#running?.stop();
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
  readonly #emit: (event: SystemEvent) => void;
  readonly #sessions: LoginSessions;
  readonly #sleep: SleepState;
  readonly #readClocks = openClocks();
  readonly #jumps = new ClockJumps(this.#readClocks());
  readonly #zone: TimeZoneWatch;
  readonly #sysfs: string;
  readonly #tickMs: number;
  readonly #bus: DbusWatch;
  #mounts: MountWatch | undefined;
  #loginProblem = "";
  #power: string;
  #place = networkPlace();
  #rounds = 0;
  #ticker: NodeJS.Timeout | undefined;
  #networkTimer: NodeJS.Timeout | undefined;
  #hasStopped = false;

  constructor(options: LinuxSystemEventsOptions, emit: (event: SystemEvent) => void) {
    this.#emit = (event) => {
      if (!this.#hasStopped) emit(event);
    };
    const now = (): number => performance.now();
    this.#sessions = new LoginSessions(this.#emit, now);
    this.#sleep = new SleepState(this.#emit, now);
    this.#zone = new TimeZoneWatch(lookOfFile(options.localtime ?? "/etc/localtime"));
    this.#sysfs = options.sysfs ?? "/sys";
    this.#tickMs = options.tickMs ?? tickMsDefault;
    this.#power = this.#powerText();
    this.#bus = new DbusWatch(options.bus, {
      rules,
      connected: (bus) => this.#askLogin(bus),
      signal: (signal, bus) => this.#signal(signal, bus),
      disconnected: () => this.#sessions.lost(),
    });
  }

  get isLocked(): boolean | undefined {
    return this.#sessions.isAnyLocked;
  }

  async start(): Promise<ReadonlyMap<string, Probe>> {
    const mounts = this.#startMounts();
    this.#ticker = setInterval(() => this.#tick(), this.#tickMs);
    const problem = await this.#bus.start();
    const login = problem === undefined ? this.#loginProblem : dbusReason(problem, "logind");
    return new Map([
      ["sessions", probe(login, "logind")],
      ["sleep", probe("", login === "" ? "logind" : `the clocks, after the fact: ${login}`)],
      ["shutdown", probe(login, "logind")],
      ["mounts", mounts],
      ["network", probe("", "the kernel's addresses and routes, and NetworkManager where it runs")],
      ["power", probe("", "the kernel's power supplies, and UPower where it runs")],
      ["time", probe("", "the clocks and /etc/localtime")],
    ]);
  }

  async stop(): Promise<void> {
    this.#hasStopped = true;
    clearInterval(this.#ticker);
    clearTimeout(this.#networkTimer);
    await this.#bus.stop();
    await this.#mounts?.stop();
  }

  #startMounts(): Probe {
    try {
      this.#mounts = new MountWatch(this.#emit);
      return probe("", "the kernel's mount table");
    } catch (error) {
      return probe(`the mount table can't be read: ${String(error)}`, "");
    }
  }

  async #askLogin(bus: DbusConnection): Promise<void> {
    try {
      await this.#sessions.takeStock(bus);
      this.#loginProblem = "";
    } catch (error) {
      // Without logind the other sources of the bus work on; its start is announced.
      this.#loginProblem = dbusReason(error, "logind");
    }
  }

  #signal(signal: DbusSignal, bus: DbusConnection): void {
    const { path, interface: name, member, body } = signal;
    if (member === "NameOwnerChanged") {
      this.#sessions.lost();
      if (body[2] !== "") void this.#askLogin(bus);
    } else if (name === loginManager && member === "PrepareForSleep")
      this.#sleep.announced(body[0] === true);
    else if (name === loginManager && member === "PrepareForShutdown") {
      if (body[0] === true) this.#emit({ kind: "shutdown" });
    } else if (path.startsWith(powerPath)) {
      if (hasChanged(signal, powerProperties)) this.#emit({ kind: "power-change" });
    } else if (path === networkPath) {
      if (hasChanged(signal, networkProperties)) this.#networkChanged();
    } else if (name === objectsInterface || body[0] === disksFileSystem) this.#mounts?.check();
    else this.#sessions.signal(signal, bus);
  }

  #tick(): void {
    this.#rounds += 1;
    this.#mounts?.check();
    const { slept, wasSet } = this.#jumps.next(this.#readClocks());
    if (slept) this.#sleep.noticed();
    if (this.#zone.hasChanged() || wasSet) this.#emit({ kind: "time-change" });
    if (slept || this.#rounds % networkRounds === 0) this.#comparePlace();
    if (slept || this.#rounds % powerRounds === 0) this.#comparePower();
  }

  #comparePlace(): void {
    const place = networkPlace();
    if (place !== this.#place) this.#networkChanged();
    this.#place = place;
  }

  #networkChanged(): void {
    this.#networkTimer ??= setTimeout(() => {
      this.#networkTimer = undefined;
      this.#place = networkPlace();
      this.#emit({ kind: "network-change" });
    }, networkSettleMs);
  }

  #comparePower(): void {
    const power = this.#powerText();
    if (power !== this.#power) this.#emit({ kind: "power-change" });
    this.#power = power;
  }

  #powerText(): string {
    return JSON.stringify(readSupplies(this.#sysfs) ?? {});
  }
}

function probe(problem: string, source: string): Probe {
  return { available: problem === "", reason: problem === "" ? source : problem };
}

/** Both forms of the signal: the standard one, and the older one that NetworkManager still sends beside it. */
function hasChanged({ interface: name, body }: DbusSignal, properties: readonly string[]): boolean {
  const isStandard = name === propertiesInterface;
  const changed = asDictionary(isStandard ? body[1] : body[0]);
  const invalidated = isStandard && Array.isArray(body[2]) ? (body[2] as unknown[]) : [];
  return properties.some((each) => changed.has(each) || invalidated.includes(each));
}
