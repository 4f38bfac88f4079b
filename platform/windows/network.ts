/** The network of a Windows machine. */
import { hasReachableAddress } from "../node/interface-addresses.ts";
import type { Network, NetworkState } from "../ports/network.ts";
import { networkAdapters, wirelessNames } from "./iphlpapi.ts";
import { hasVpn, type NetworkAdapter } from "./network-adapters.ts";
import { connectionCost, isMeteredCost } from "./network-cost.ts";

/** What Windows is asked; each may throw where this Windows has no such part. */
export interface NetworkCalls {
  cost(): number;
  adapters(): readonly NetworkAdapter[];
  wirelessNames(): readonly string[];
}

export class WindowsNetwork implements Network {
  readonly #calls: NetworkCalls;

  /** `calls` are others than the system's, for tests. */
  constructor(
    calls: NetworkCalls = { cost: connectionCost, adapters: networkAdapters, wirelessNames },
  ) {
    this.#calls = calls;
  }

  state(): Promise<NetworkState> {
    const adapters = orUndefined(() => this.#calls.adapters());
    const isRouted = adapters?.some(({ isUp, hasGateway }) => isUp && hasGateway);
    return Promise.resolve({
      metered: orUndefined(() => isMeteredCost(this.#calls.cost())),
      vpn: adapters === undefined ? undefined : hasVpn(adapters),
      wifiNames: orUndefined(() => this.#calls.wirelessNames()),
      online: isRouted === true || hasReachableAddress(),
    });
  }
}

function orUndefined<Value>(ask: () => Value): Value | undefined {
  try {
    return ask();
  } catch {
    // This Windows can't tell.
    return undefined;
  }
}
