/** The network where no adapter knows this system: only whether there is one. */
import type { Network, NetworkState } from "../ports/network.ts";
import { hasReachableAddress } from "./interface-addresses.ts";

export class PortableNetwork implements Network {
  state(): Promise<NetworkState> {
    const online = hasReachableAddress();
    return Promise.resolve({ metered: undefined, vpn: undefined, wifiNames: undefined, online });
  }
}
