/** The network of a Mac. Whether it is metered is told to programs with a window only. */
import { hasReachableAddress } from "../node/interface-addresses.ts";
import type { Network, NetworkState } from "../ports/network.ts";
import { type DarwinCommands, darwinCommands } from "./command-output.ts";
import {
  decodePrimaryInterfaces,
  decodeWirelessDevices,
  decodeWirelessName,
  hasConnectedVpn,
  isTunnel,
} from "./network-text.ts";

const questions = "show State:/Network/Global/IPv4\nshow State:/Network/Global/IPv6\nquit\n";

export class DarwinNetwork implements Network {
  readonly #commands: DarwinCommands;

  /** `commands` are others than the system's, for tests. */
  constructor(commands: DarwinCommands = darwinCommands) {
    this.#commands = commands;
  }

  async state(): Promise<NetworkState> {
    const [primary, vpn, wifiNames] = await Promise.all([
      this.#primaryInterfaces(),
      this.#commands("scutil", ["--nc", "list"]),
      this.#wifiNames(),
    ]);
    return {
      metered: undefined,
      vpn:
        primary === undefined && vpn.exitCode !== 0
          ? undefined
          : hasConnectedVpn(vpn.stdout) || (primary ?? []).some(isTunnel),
      wifiNames,
      online: primary === undefined ? hasReachableAddress() : primary.length > 0,
    };
  }

  async #primaryInterfaces(): Promise<readonly string[] | undefined> {
    const { exitCode, stdout } = await this.#commands("scutil", [], questions);
    return exitCode === 0 ? decodePrimaryInterfaces(stdout) : undefined;
  }

  async #wifiNames(): Promise<readonly string[] | undefined> {
    const ports = await this.#commands("networksetup", ["-listallhardwareports"]);
    if (ports.exitCode !== 0) return undefined;
    const names: string[] = [];
    for (const device of decodeWirelessDevices(ports.stdout)) {
      const { exitCode, stdout } = await this.#commands("ipconfig", ["getsummary", device]);
      const found = decodeWirelessName(stdout);
      if (exitCode !== 0 || found === "hidden") return undefined;
      if (found !== undefined) names.push(found.name);
    }
    return names;
  }
}
