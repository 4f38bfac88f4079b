/** Power of a Windows machine. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Power, PowerAction, PowerState } from "../ports/power.ts";
import type { Probe } from "../ports/system-events.ts";
import { type SecurityCalls, securityCalls } from "./advapi32-security.ts";
import { type PowerCalls, powerCalls, powerRequests } from "./kernel32-power.ts";
import { decodePowerStatus } from "./power-status.ts";
import type { Handle } from "./windows-calls.ts";

const shutdownPrivilege = "SeShutdownPrivilege";
const msFrom1601To1970 = 11_644_473_600_000;
const ticksPerMs = 10_000n;

export interface WindowsPowerOptions {
  /** Other calls than the system's, for tests. */
  readonly calls?: PowerCalls;
  readonly security?: Pick<SecurityCalls, "enablePrivilege" | "shutDown">;
}

export class WindowsPower implements Power {
  readonly #calls: PowerCalls;
  readonly #security: Pick<SecurityCalls, "enablePrivilege" | "shutDown">;
  #timer: Handle | undefined;

  constructor(options: WindowsPowerOptions = {}) {
    this.#calls = options.calls ?? powerCalls;
    this.#security = options.security ?? securityCalls;
  }

  state(): Promise<PowerState> {
    try {
      return Promise.resolve(decodePowerStatus(this.#calls.powerStatus()));
    } catch {
      // A machine that can't tell.
      return Promise.resolve({ onBattery: undefined, batteryPercent: undefined });
    }
  }

  async keepAwake(reason: string): Promise<() => Promise<void>> {
    const request = this.#request(reason);
    let isHeld = request !== undefined;
    return async () => {
      // Closing the handle takes back all that was asked with it.
      if (isHeld && request !== undefined) this.#calls.close(request);
      isHeld = false;
    };
  }

  can(action: PowerAction): Promise<Probe> {
    return Promise.resolve(this.#probe(action));
  }

  async perform(action: PowerAction): Promise<void> {
    const { available, reason } = this.#probe(action);
    if (!available) throw new BackstayError("POWER_ACTION_FAILED", { action, reason });
    try {
      if (action === "shut-down") this.#security.shutDown("Backstay shuts this computer down.");
      else await this.#calls.suspend(action === "hibernate");
    } catch (error) {
      throw new BackstayError("POWER_ACTION_FAILED", { action, reason: textOf(error) }, error);
    }
  }

  setWake(atMs: number | undefined): Promise<Probe> {
    if (this.#timer !== undefined) this.#calls.close(this.#timer);
    this.#timer = undefined;
    let timer: Handle | undefined;
    try {
      timer = this.#calls.createTimer();
      // An hour that never comes shows whether the machine can wake by timers.
      const at = atMs ?? Date.now() + 86_400_000;
      const dueTicks = BigInt(Math.floor(at) + msFrom1601To1970) * ticksPerMs;
      const wakes = this.#calls.setWakingTimer(timer, dueTicks);
      if (wakes && atMs !== undefined) this.#timer = timer;
      else this.#calls.close(timer);
      const reason = wakes ? "a timer of Windows" : "this machine can't be woken by a timer";
      return Promise.resolve({ available: wakes, reason });
    } catch (error) {
      if (timer !== undefined) this.#calls.close(timer);
      return Promise.resolve({ available: false, reason: textOf(error) });
    }
  }

  /** Undefined if Windows takes no requests: a run goes on without it. */
  #request(reason: string): Handle | undefined {
    let request: Handle | undefined;
    try {
      request = this.#calls.createRequest(`Backstay: ${reason}`);
      this.#calls.setRequest(request, powerRequests.systemRequired);
    } catch {
      if (request !== undefined) this.#calls.close(request);
      return undefined;
    }
    try {
      // Machines that stay half awake in standby need this one, and others refuse it.
      this.#calls.setRequest(request, powerRequests.executionRequired);
    } catch {}
    return request;
  }

  #probe(action: PowerAction): Probe {
    try {
      if (action === "sleep" && !this.#calls.isSuspendAllowed())
        return { available: false, reason: "this machine can't sleep, or not by request" };
      if (action === "hibernate" && !this.#calls.isHibernateAllowed())
        return { available: false, reason: "hibernation is off, or this machine can't" };
      this.#security.enablePrivilege(shutdownPrivilege);
      return { available: true, reason: "Windows" };
    } catch (error) {
      return { available: false, reason: textOf(error) };
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
