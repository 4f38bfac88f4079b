/** Picks what knows the power of this system. */
import { DarwinPower } from "./darwin/power.ts";
import { systemBusAddress } from "./linux/dbus-connection.ts";
import { LinuxPower } from "./linux/power.ts";
import { PortablePower } from "./node/portable-power.ts";
import type { Power } from "./ports/power.ts";
import { WindowsPower } from "./windows/power.ts";

/** `environment` may name another system bus (DBUS_SYSTEM_BUS_ADDRESS). Keep it: it holds the wake timer. */
export function openPower(environment: Readonly<Record<string, string | undefined>>): Power {
  switch (process.platform) {
    case "linux":
      return new LinuxPower({ bus: systemBusAddress(environment) });
    case "darwin":
      return new DarwinPower();
    case "win32":
      return new WindowsPower();
    default:
      return new PortablePower();
  }
}
