/** Picks what knows the drives of this system. */
import { DarwinRemovableMedia } from "./darwin/removable-media.ts";
import { systemBusAddress } from "./linux/dbus-connection.ts";
import { LinuxRemovableMedia } from "./linux/removable-media.ts";
import { PortableRemovableMedia } from "./node/portable-removable-media.ts";
import type { RemovableMedia } from "./ports/removable-media.ts";
import { WindowsRemovableMedia } from "./windows/removable-media.ts";

/** `environment` may name another system bus (DBUS_SYSTEM_BUS_ADDRESS).  */
export function openRemovableMedia(
  environment: Readonly<Record<string, string | undefined>>,
): RemovableMedia {
  switch (process.platform) {
    case "linux":
      return new LinuxRemovableMedia({ bus: systemBusAddress(environment) });
    case "darwin":
      return new DarwinRemovableMedia();
    case "win32":
      return new WindowsRemovableMedia({
        systemPaths: [environment["SystemRoot"] ?? "C:\\Windows", process.execPath],
      });
    default:
      return new PortableRemovableMedia();
  }
}
