/** Power of a Linux machine: sysfs and UPower for what it runs on, logind for what is done to it. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Power, PowerAction, PowerState } from "../ports/power.ts";
import type { Probe } from "../ports/system-events.ts";
import { type DbusConnection, dbusReason, withBus } from "./dbus-connection.ts";
import { readSupplies } from "./power-supplies.ts";
import { inhibitSleep } from "./sleep-inhibitor.ts";
import { WakeTimer } from "./wake-timer.ts";

const upower = "org.freedesktop.UPower";
const upowerPath = "/org/freedesktop/UPower";
const displayDevicePath = "/org/freedesktop/UPower/devices/DisplayDevice";
const upowerBattery = 2;
const upowerUps = 3;

const methods: Readonly<Record<PowerAction, string>> = {
  sleep: "Suspend",
  hibernate: "Hibernate",
  "shut-down": "PowerOff",
};

/** What logind answers to whether it can. */
const answers: Readonly<Record<string, Probe>> = {
  yes: { available: true, reason: "logind" },
  challenge: { available: false, reason: "logind wants a person to agree first" },
  no: { available: false, reason: "logind does not allow it to this account" },
  na: { available: false, reason: "this machine can't" },
};

export interface LinuxPowerOptions {
  /** Address of the system bus. */
  readonly bus: string;
  /** Another root of sysfs, for tests. */
  readonly sysfs?: string;
}

export class LinuxPower implements Power {
  readonly #options: LinuxPowerOptions;
  readonly #wake: WakeTimer;

  constructor(options: LinuxPowerOptions) {
    this.#options = options;
    this.#wake = new WakeTimer(options.sysfs);
  }

  async state(): Promise<PowerState> {
    const own = readSupplies(this.#options.sysfs);
    if (own?.batteryPercent !== undefined) return own;
    // UPower also knows supplies that stand beside the machine and report over USB.
    const unknown = { onBattery: undefined, batteryPercent: undefined };
    return (await this.#upowerState()) ?? own ?? unknown;
  }

  async keepAwake(reason: string): Promise<() => Promise<void>> {
    const release = await inhibitSleep(reason, this.#options.bus);
    return async () => await release?.();
  }

  async can(action: PowerAction): Promise<Probe> {
    try {
      return await withBus(this.#options.bus, async (bus) => {
        const [answer] = await callLogin(bus, `Can${methods[action]}`);
        return answers[String(answer)] ?? { available: false, reason: `logind: ${String(answer)}` };
      });
    } catch (error) {
      return { available: false, reason: dbusReason(error, "logind") };
    }
  }

  async perform(action: PowerAction): Promise<void> {
    const able = await this.can(action);
    if (!able.available)
      throw new BackstayError("POWER_ACTION_FAILED", { action, reason: able.reason });
    try {
      await withBus(this.#options.bus, (bus) => callLogin(bus, methods[action], false));
    } catch (error) {
      const reason = dbusReason(error, "logind");
      throw new BackstayError("POWER_ACTION_FAILED", { action, reason }, error);
    }
  }

  setWake(atMs: number | undefined): Promise<Probe> {
    return Promise.resolve(this.#wake.set(atMs));
  }

  async #upowerState(): Promise<PowerState | undefined> {
    try {
      return await withBus(this.#options.bus, async (bus) => {
        const state = await bus.properties(upower, upowerPath, upower);
        const device = await bus.properties(upower, displayDevicePath, `${upower}.Device`);
        const hasBattery =
          device.get("IsPresent") === true &&
          [upowerBattery, upowerUps].includes(Number(device.get("Type")));
        const percent = Number(device.get("Percentage"));
        return {
          onBattery: state.get("OnBattery") === true,
          batteryPercent: hasBattery && percent >= 0 ? Math.round(percent) : undefined,
        };
      });
    } catch {
      // No UPower: the kernel's word stands.
      return undefined;
    }
  }
}

/** `interactive` is what the methods that do something take: whether a person may be asked. */
async function callLogin(
  bus: DbusConnection,
  member: string,
  interactive?: boolean,
): Promise<readonly unknown[]> {
  return await bus.call({
    destination: "org.freedesktop.login1",
    path: "/org/freedesktop/login1",
    interface: "org.freedesktop.login1.Manager",
    member,
    mayStart: true,
    ...(interactive === undefined ? {} : { signature: "b", body: [interactive] }),
  });
}
