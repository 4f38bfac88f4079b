/**
 * Events of systems that are asked for now and then: each question is compared with its last answer. Whoever gets word of a
 * change in another way has the question asked at once.
 */
import type { MountedFileSystem } from "../ports/removable-media.ts";
import type { SystemEvent } from "../ports/system-events.ts";
import { ClockJumps, type ClockReading } from "./clock-jumps.ts";
import { SessionList, type UserSession } from "./session-list.ts";
import { SleepState } from "./sleep-state.ts";
import { TimeZoneWatch } from "./time-zone-watch.ts";

/** What a machine is asked. A question that rejects changes nothing; those that can't wait never throw. */
export interface PolledMachine {
  sessions(): Promise<readonly UserSession[]>;
  drives(): Promise<readonly MountedFileSystem[]>;
  /** A text that differs when the power supply does. */
  power(): Promise<string>;
  /** A text that differs when addresses do. */
  addresses(): string;
  /** A text that differs when the time zone does. */
  timeZone(): string;
  clocks(): ClockReading;
}

export interface PollingPace {
  readonly tickMs: number;
  /** Each question is asked once in so many ticks. */
  readonly rounds: Readonly<Record<"sessions" | "drives" | "network" | "power", number>>;
}

/** A drive that has just come takes a moment until its file system can be read. */
const driveSettleMs = 1_000;
const driveLooks = 5;
const networkSettleMs = 500;

/** Everything between one start and its stop. */
export class PolledEvents {
  readonly #machine: PolledMachine;
  readonly #pace: PollingPace;
  readonly #emit: (event: SystemEvent) => void;
  readonly #sessions: SessionList;
  readonly #sleep: SleepState;
  readonly #jumps: ClockJumps;
  readonly #zone: TimeZoneWatch;
  #sessionProblem = "";
  #drives: ReadonlyMap<string, MountedFileSystem> | undefined;
  #addresses: string;
  #power: string | undefined;
  /** Questions of one kind, one after the other. */
  readonly #asking = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, Promise<void>>();
  #driveLooksLeft = 0;
  #driveTimer: NodeJS.Timeout | undefined;
  #networkTimer: NodeJS.Timeout | undefined;
  #rounds = 0;
  #ticker: NodeJS.Timeout | undefined;
  #hasStopped = false;

  constructor(machine: PolledMachine, pace: PollingPace, emit: (event: SystemEvent) => void) {
    this.#machine = machine;
    this.#pace = pace;
    this.#emit = (event) => {
      if (!this.#hasStopped) emit(event);
    };
    this.#sessions = new SessionList(this.#emit);
    this.#sleep = new SleepState(this.#emit, () => machine.clocks().awakeMs);
    this.#jumps = new ClockJumps(machine.clocks());
    this.#zone = new TimeZoneWatch(() => machine.timeZone());
    this.#addresses = machine.addresses();
  }

  get isLocked(): boolean | undefined {
    return this.#sessionProblem === "" ? this.#sessions.isAnyLocked : undefined;
  }

  /** Why sessions can't be told, as of the last time that they were asked for; empty if they can. */
  get sessionProblem(): string {
    return this.#sessionProblem;
  }

  /** Resolves when everything has been asked once, which emits nothing. */
  async start(): Promise<void> {
    await Promise.all([this.lookAtSessions(), this.#lookAtDrives(), this.comparePower()]);
    if (!this.#hasStopped) this.#ticker = setInterval(() => this.#tick(), this.#pace.tickMs);
  }

  async stop(): Promise<void> {
    this.#hasStopped = true;
    clearInterval(this.#ticker);
    clearInterval(this.#driveTimer);
    clearTimeout(this.#networkTimer);
    await Promise.all(this.#asking.values());
  }

  /** For events that the system itself tells. */
  tell(event: SystemEvent): void {
    this.#emit(event);
  }

  sleepAnnounced(isBeginning: boolean): void {
    this.#sleep.announced(isBeginning);
  }

  async lookAtSessions(): Promise<void> {
    await this.#ask("sessions", async () => {
      try {
        this.#sessions.update(await this.#machine.sessions());
        this.#sessionProblem = "";
      } catch (error) {
        this.#sessionProblem = error instanceof Error ? error.message : String(error);
      }
    });
  }

  /** Looks several times in the next seconds: volumes come and go in several steps. */
  expectDrives(): void {
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

  async comparePower(): Promise<void> {
    await this.#ask("power", async () => {
      const power = await this.#machine.power().catch(() => this.#power);
      if (this.#power !== undefined && power !== this.#power) this.#emit({ kind: "power-change" });
      this.#power = power;
    });
  }

  compareAddresses(): void {
    if (this.#machine.addresses() !== this.#addresses) this.networkChanged();
  }

  /** The system says so; it may say it in several pieces, of which the addresses show none or some. */
  networkChanged(): void {
    this.#networkTimer ??= setTimeout(() => {
      this.#networkTimer = undefined;
      this.#addresses = this.#machine.addresses();
      this.#emit({ kind: "network-change" });
    }, networkSettleMs);
  }

  /** True if the machine slept since the last time. */
  compareClocks(): boolean {
    const { slept, wasSet } = this.#jumps.next(this.#machine.clocks());
    if (slept) this.#sleep.noticed();
    if (this.#zone.hasChanged() || wasSet) this.#emit({ kind: "time-change" });
    return slept;
  }

  #tick(): void {
    this.#rounds += 1;
    const { rounds } = this.#pace;
    const slept = this.compareClocks();
    if (slept || this.#rounds % rounds.sessions === 0) void this.lookAtSessions();
    if (slept || this.#rounds % rounds.drives === 0) void this.#lookAtDrives();
    if (slept || this.#rounds % rounds.network === 0) this.compareAddresses();
    if (slept || this.#rounds % rounds.power === 0) void this.comparePower();
  }

  #lookAtDrives(): Promise<void> {
    return this.#ask("drives", async () => {
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
  }

  /** A question under way is answered first; one more waits behind it at most, and serves all. Never rejects. */
  #ask(kind: string, question: () => Promise<void>): Promise<void> {
    const waiting = this.#waiting.get(kind);
    if (waiting !== undefined) return waiting;
    const asked = (this.#asking.get(kind) ?? Promise.resolve()).then(async () => {
      this.#waiting.delete(kind);
      if (!this.#hasStopped) await question();
    });
    this.#asking.set(kind, asked);
    this.#waiting.set(kind, asked);
    return asked;
  }
}

function placeOf({ path, id }: MountedFileSystem): {
  readonly path: string;
  readonly fileSystemId?: string;
} {
  return id === undefined ? { path } : { path, fileSystemId: id };
}
