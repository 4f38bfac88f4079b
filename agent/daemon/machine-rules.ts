/**
 * What a policy's limits say about the machine as it is now: battery, kind of network, names of wireless networks, the
 * drive of the target. What the system does not tell keeps nothing back.
 */
import type { Network, NetworkState } from "../../platform/ports/network.ts";
import type { Power, PowerState } from "../../platform/ports/power.ts";
import type { MountedFileSystem, RemovableMedia } from "../../platform/ports/removable-media.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Policy } from "../../protocol/policy/policy.ts";
import type { Hold } from "../../protocol/session-record.ts";
import { storeAddress } from "../../storage/store-address.ts";

export interface Machine {
  readonly power: Pick<Power, "state">;
  readonly network: Network;
  readonly media: Pick<RemovableMedia, "mounted">;
}

export class MachineRules {
  readonly #machine: Machine;
  readonly #onFailure: (error: unknown) => void;
  #power: PowerState = { onBattery: undefined, batteryPercent: undefined };
  #network: NetworkState = {
    metered: undefined,
    vpn: undefined,
    wifiNames: undefined,
    online: undefined,
  };
  #mounted: readonly MountedFileSystem[] = [];

  constructor(machine: Machine, onFailure: (error: unknown) => void) {
    this.#machine = machine;
    this.#onFailure = onFailure;
  }

  /** Asks the system again. What it can't tell stays as it was. */
  async refresh(): Promise<void> {
    const { power, network, media } = this.#machine;
    const results = await Promise.allSettled([
      power.state().then((state) => (this.#power = state)),
      network.state().then((state) => (this.#network = state)),
      media.mounted().then((mounted) => (this.#mounted = mounted)),
    ]);
    for (const result of results) if (result.status === "rejected") this.#onFailure(result.reason);
  }

  /** Undefined if the system does not tell. */
  get hasBattery(): boolean | undefined {
    return this.#power.batteryPercent === undefined ? undefined : true;
  }

  /** What keeps a run of the policy back that nobody asked for by hand. */
  hold(policy: Policy): Hold | undefined {
    return this.#batteryHold(policy) ?? this.#networkHold(policy);
  }

  /** Whether the file system of a path is the target of the policy, or holds it. */
  isTarget(policy: Policy, path: string, fileSystemId: string | undefined): boolean {
    const { repository, fileSystemId: wanted } = policy.destination;
    if (wanted !== undefined && wanted !== fileSystemId) return false;
    const { scheme, place } = storeAddress(repository);
    return scheme === "local" && isBelow(place, path);
  }

  /** STORE_MISSING if the target must lie on a certain drive, and another one is there, or none. */
  checkTarget({ destination }: Policy): void {
    const { repository, fileSystemId } = destination;
    if (fileSystemId === undefined) return;
    const found = this.#fileSystemOf(storeAddress(repository).place);
    if (found?.id !== fileSystemId)
      throw new BackstayError("STORE_MISSING", {
        place: repository,
        wanted: fileSystemId,
        found: found?.id ?? "none",
      });
  }

  #batteryHold({ limits }: Policy): Hold | undefined {
    const { onBattery, batteryPercent } = this.#power;
    if (onBattery !== true) return undefined;
    const { onlyOnMains, minimumPercent } = limits.battery;
    if (onlyOnMains) return { code: "battery", text: "until the machine runs on mains" };
    if (batteryPercent === undefined || batteryPercent >= minimumPercent) return undefined;
    const text = `until the battery has ${minimumPercent} %, or mains; it has ${Math.floor(batteryPercent)} %`;
    return { code: "battery", text };
  }

  /** Backups to a disk of this machine do not care. */
  #networkHold({ limits, destination }: Policy): Hold | undefined {
    const { scheme, place } = storeAddress(destination.repository);
    if (scheme === "local" && this.#fileSystemOf(place)?.isNetwork !== true) return undefined;
    const { metered, vpn, wifiNames, online } = this.#network;
    const rules = limits.network;
    const hold = (text: string): Hold => ({ code: "network", text });
    if (online === false) return hold("until there is a network");
    if (metered === true && rules.metered === "deny")
      return hold("until the network is not metered any more");
    if (vpn === true && rules.vpn === "deny") return hold("until the VPN is off");
    const { wifi } = rules;
    if (wifi === undefined || wifiNames === undefined || wifiNames.length === 0) return undefined;
    return wifiNames.some((name) => wifi.includes(name))
      ? undefined
      : hold(`until the wireless network is ${wifi.join(" or ")}`);
  }

  #fileSystemOf(place: string): MountedFileSystem | undefined {
    return this.#mounted
      .filter(({ path }) => isBelow(place, path))
      .toSorted((a, b) => b.path.length - a.path.length)[0];
  }
}

function isBelow(place: string, folder: string): boolean {
  const base = folder.replace(/[/\\]+$/, "");
  return place === base || place.startsWith(`${base}/`) || place.startsWith(`${base}\\`);
}
