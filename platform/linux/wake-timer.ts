/**
 * Wakes the machine from sleep with an alarm timer of the kernel (timerfd, CLOCK_REALTIME_ALARM). The kernel gives the one
 * alarm of the hardware clock to whoever is next, so others that wake the machine are not disturbed, and a timer
 * ends with its process. It does not wake a machine that hibernates or is off.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Probe } from "../ports/system-events.ts";
import { declareCall, lastErrorName, libc } from "./libc.ts";
import { NativeMemory } from "./native-memory.ts";

const realtimeAlarmClock = 8;
const absoluteTime = 1;
const closeOnExec = 0o2000000;
const nonBlocking = 0o4000;

export class WakeTimer {
  readonly #sysfs: string;
  #descriptor: number | undefined;

  /** `sysfs` is another root for tests. */
  constructor(sysfs: string = "/sys") {
    this.#sysfs = sysfs;
  }

  /** Arms the timer for that wall-clock time instead of any before, or disarms it. The machine must not be asleep at `atMs` already. */
  set(atMs: number | undefined): Probe {
    if (this.#descriptor !== undefined) libc().close(this.#descriptor);
    this.#descriptor = undefined;
    const clock = wakingClock(this.#sysfs);
    if (clock === undefined)
      return { available: false, reason: "no hardware clock that can wake this machine" };
    const problem = atMs === undefined ? this.#tryOut() : this.#arm(atMs);
    return problem === undefined
      ? { available: true, reason: `an alarm of ${clock}` }
      : { available: false, reason: problem };
  }

  /** Whether a timer could be armed. */
  #tryOut(): string | undefined {
    const descriptor = create();
    if (typeof descriptor === "string") return descriptor;
    libc().close(descriptor);
    return undefined;
  }

  #arm(atMs: number): string | undefined {
    const descriptor = create();
    if (typeof descriptor === "string") return descriptor;
    const setting = new NativeMemory(32);
    const view = new DataView(setting.bytes.buffer);
    // No interval; zero would disarm it.
    const at = Math.max(1, Math.floor(atMs));
    view.setBigInt64(16, BigInt(Math.floor(at / 1_000)), true);
    view.setBigInt64(24, BigInt((at % 1_000) * 1_000_000), true);
    const setTime = declareCall("timerfd_settime", "int", ["int", "int", "int64", "int64"]);
    if (setTime(descriptor, absoluteTime, setting.address, 0) < 0) {
      const problem = `the alarm was refused: ${lastErrorName()}`;
      libc().close(descriptor);
      return problem;
    }
    this.#descriptor = descriptor;
    return undefined;
  }
}

/** A descriptor, or why there is none. */
function create(): number | string {
  const createTimer = declareCall("timerfd_create", "int", ["int", "int"]);
  const descriptor = createTimer(realtimeAlarmClock, closeOnExec | nonBlocking);
  if (descriptor >= 0) return descriptor;
  const code = lastErrorName();
  return code === "EPERM"
    ? "setting an alarm needs the capability CAP_WAKE_ALARM"
    : `alarms are refused: ${code}`;
}

/** The kernel only uses clocks that may wake the machine. */
function wakingClock(sysfs: string): string | undefined {
  const folder = join(sysfs, "class/rtc");
  try {
    return readdirSync(folder).find(
      (name) =>
        readFileSync(join(folder, name, "device/power/wakeup"), "utf8").trim() === "enabled",
    );
  } catch {
    return undefined;
  }
}
