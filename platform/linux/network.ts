/** The network of a Linux machine: NetworkManager where it runs, and the kernel. */
import type { Network, NetworkState } from "../ports/network.ts";
import { type DbusConnection, withBus } from "./dbus-connection.ts";
import {
  hasWireless,
  isOnline,
  type NetworkFiles,
  systemNetworkFiles,
  tunnels,
} from "./network-places.ts";

const service = "org.freedesktop.NetworkManager";
const path = "/org/freedesktop/NetworkManager";
/** NetworkManager's numbers: 1 yes, 2 no, 3 probably, 4 probably not. */
const meteredNumbers: Readonly<Record<number, boolean>> = { 1: true, 2: false, 3: true, 4: false };
const activated = 2;
const vpnTypes: ReadonlySet<unknown> = new Set(["vpn", "wireguard"]);

interface ManagedState {
  readonly metered: boolean | undefined;
  readonly vpn: boolean;
  readonly wifiNames: readonly string[];
}

export interface LinuxNetworkOptions {
  /** Address of the system bus. */
  readonly bus: string;
  /** Other files of the kernel, for tests. */
  readonly files?: NetworkFiles;
}

export class LinuxNetwork implements Network {
  readonly #bus: string;
  readonly #files: NetworkFiles;

  constructor({ bus, files }: LinuxNetworkOptions) {
    this.#bus = bus;
    this.#files = files ?? systemNetworkFiles;
  }

  async state(): Promise<NetworkState> {
    const managed = await this.#managedState();
    return {
      metered: managed?.metered,
      // Also with NetworkManager: VPNs that others set up look like plain tunnels to it.
      vpn: managed?.vpn === true || tunnels(this.#files).length > 0,
      wifiNames: managed?.wifiNames ?? this.#wifiWithoutManager(),
      online: isOnline(this.#files),
    };
  }

  /** Undefined if NetworkManager does not run. */
  async #managedState(): Promise<ManagedState | undefined> {
    try {
      return await withBus(this.#bus, readManaged);
    } catch {
      return undefined;
    }
  }

  /** The kernel does not tell names, but it tells that there is no wireless device. */
  #wifiWithoutManager(): readonly string[] | undefined {
    return hasWireless(this.#files) ? undefined : [];
  }
}

async function readManaged(bus: DbusConnection): Promise<ManagedState> {
  const state = await bus.properties(service, path, service);
  const connections: ReadonlyMap<string, unknown>[] = [];
  for (const connection of pathsOf(state.get("ActiveConnections"))) {
    const found = await bus
      .properties(service, connection, `${service}.Connection.Active`)
      .catch(() => new Map<string, unknown>()); // It ended meanwhile.
    if (found.get("State") === activated) connections.push(found);
  }
  const wireless = connections.filter((each) => each.get("Type") === "802-11-wireless");
  const names = await Promise.all(
    wireless.map((each) => accessPointName(bus, String(each.get("SpecificObject")))),
  );
  return {
    metered: meteredNumbers[Number(state.get("Metered"))],
    vpn: connections.some((each) => each.get("Vpn") === true || vpnTypes.has(each.get("Type"))),
    wifiNames: names.flatMap((name) => (name === undefined ? [] : [name])),
  };
}

/** Names are bytes, in UTF-8 as good as always. */
async function accessPointName(
  bus: DbusConnection,
  accessPoint: string,
): Promise<string | undefined> {
  try {
    const found = await bus.properties(service, accessPoint, `${service}.AccessPoint`);
    const name = found.get("Ssid");
    return Buffer.isBuffer(name) ? name.toString() : undefined;
  } catch {
    return undefined;
  }
}

function pathsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
