/** Picks the source of events of this system. */
import { DarwinSystemEvents } from "./darwin/system-events.ts";
import { systemBusAddress } from "./linux/dbus-connection.ts";
import { LinuxSystemEvents } from "./linux/system-events.ts";
import { PortableSystemEvents } from "./node/portable-system-events.ts";
import type { SystemEvents } from "./ports/system-events.ts";
import { WindowsSystemEvents } from "./windows/system-events.ts";
import { takenWindowsService } from "./windows/windows-service.ts";

/** `environment` may name another system bus (DBUS_SYSTEM_BUS_ADDRESS). Nothing happens before its start. A service
 * opens its service control first: on Windows the events come from there. */
export function openSystemEvents(
  environment: Readonly<Record<string, string | undefined>>,
): SystemEvents {
  switch (process.platform) {
    case "linux":
      return new LinuxSystemEvents({ bus: systemBusAddress(environment) });
    case "darwin":
      return new DarwinSystemEvents();
    case "win32":
      return new WindowsSystemEvents({ service: takenWindowsService() });
    default:
      return new PortableSystemEvents();
  }
}
