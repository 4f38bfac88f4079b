/** What SYSTEM_POWER_STATUS says. */
import type { PowerState } from "../ports/power.ts";

const unknown = 255;
const noBattery = 0x80;

/** `status` has the structure's 12 bytes: AC line, flags, percent, saver, then two numbers of seconds. */
export function decodePowerStatus(status: Uint8Array): PowerState {
  const [acLine, flags, percent] = status;
  const hasBattery = flags !== unknown && (flags & noBattery) === 0;
  return {
    onBattery: acLine === unknown ? undefined : acLine === 0,
    batteryPercent: hasBattery && percent <= 100 ? percent : undefined,
  };
}
