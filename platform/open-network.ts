/** Picks what knows the network of this system. */
import { DarwinNetwork } from "./darwin/network.ts";
import { systemBusAddress } from "./linux/dbus-connection.ts";
import { LinuxNetwork } from "./linux/network.ts";
import { PortableNetwork } from "./node/portable-network.ts";
import type { Network } from "./ports/network.ts";
import { WindowsNetwork } from "./windows/network.ts";

/** `environment` may name another system bus (DBUS_SYSTEM_BUS_ADDRESS).  */
export function openNetwork(environment: Readonly<Record<string, string | undefined>>): Network {
  switch (process.platform) {
    case "linux":
      return new LinuxNetwork({ bus: systemBusAddress(environment) });
    case "darwin":
      return new DarwinNetwork();
    case "win32":
      return new WindowsNetwork();
    default:
      return new PortableNetwork();
  }
}
