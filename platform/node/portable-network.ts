/** The network where no adapter knows this system: only whether there is one. */
import { networkInterfaces } from "node:os";
import type { Network, NetworkState } from "../ports/network.ts";

export class PortableNetwork implements Network {
  state(): Promise<NetworkState> {
    const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    // Addresses of the link alone don't lead anywhere.
    const online = addresses.some(
      ({ internal, address }) => !internal && !/^(fe[89ab].:|169\.254\.)/i.test(address),
    );
    return Promise.resolve({ metered: undefined, vpn: undefined, wifiNames: undefined, online });
  }
}
