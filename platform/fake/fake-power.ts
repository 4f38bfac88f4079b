/** Power for tests: says what it is told, does what it is asked, and remembers it. */
import type { Power, PowerAction, PowerState } from "../ports/power.ts";
import type { Probe } from "../ports/system-events.ts";

export class FakePower implements Power {
  /** What was asked for, in order. */
  readonly performed: PowerAction[] = [];
  /** Reasons for which the machine is kept awake now. */
  readonly awakeFor: string[] = [];
  wakeMs: number | undefined;
  now: PowerState = { onBattery: false, batteryPercent: undefined };
  /** Set to make `perform` and `keepAwake` fail. */
  failure: Error | undefined;
  able: Probe = { available: true, reason: "fake" };

  async state(): Promise<PowerState> {
    return this.now;
  }

  async keepAwake(reason: string): Promise<() => Promise<void>> {
    if (this.failure !== undefined) throw this.failure;
    this.awakeFor.push(reason);
    let isHeld = true;
    return async () => {
      if (isHeld) this.awakeFor.splice(this.awakeFor.indexOf(reason), 1);
      isHeld = false;
    };
  }

  async can(_action: PowerAction): Promise<Probe> {
    return this.able;
  }

  async perform(action: PowerAction): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.performed.push(action);
  }

  async setWake(atMs: number | undefined): Promise<Probe> {
    this.wakeMs = atMs;
    return this.able;
  }
}
