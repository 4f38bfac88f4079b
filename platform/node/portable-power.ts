/** Power where no adapter knows this system: nothing can be told or done. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Power, PowerAction, PowerState } from "../ports/power.ts";
import type { Probe } from "../ports/system-events.ts";

const unsupported: Probe = { available: false, reason: "not supported on this system yet" };

export class PortablePower implements Power {
  state(): Promise<PowerState> {
    return Promise.resolve({ onBattery: undefined, batteryPercent: undefined });
  }

  keepAwake(): Promise<() => Promise<void>> {
    return Promise.resolve(() => Promise.resolve());
  }

  can(): Promise<Probe> {
    return Promise.resolve(unsupported);
  }

  perform(action: PowerAction): Promise<void> {
    const { reason } = unsupported;
    return Promise.reject(new BackstayError("POWER_ACTION_FAILED", { action, reason }));
  }

  setWake(): Promise<Probe> {
    return Promise.resolve(unsupported);
  }
}
