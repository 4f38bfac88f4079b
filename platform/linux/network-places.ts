/** The machine's addresses and ways out, as the kernel has them: what differs after somebody changed the network. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

/** Files of the kernel; tests bring their own. */
export interface NetworkFiles {
  readonly proc: string;
  readonly sysfs: string;
}

export const systemNetworkFiles: NetworkFiles = { proc: "/proc", sysfs: "/sys" };

/** One text that stays the same while addresses and default routes do. Addresses that reach no further than the link don't count. */
export function networkPlace(files: NetworkFiles = systemNetworkFiles): string {
  return [...reachingAddresses().map(({ text }) => text), ...defaultRoutes(files)]
    .sort()
    .join("\n");
}

/** True if there is a default route, or an address on a device that isn't made of software. */
export function isOnline(files: NetworkFiles = systemNetworkFiles): boolean {
  if (defaultRoutes(files).length > 0) return true;
  return reachingAddresses().some(({ name }) =>
    existsSync(join(files.sysfs, "class/net", name, "device")),
  );
}

/** Tunnels that carry packets, by the names of their interfaces: WireGuard, and what OpenVPN and others make of `tun`. */
export function tunnels(files: NetworkFiles = systemNetworkFiles): readonly string[] {
  const folder = join(files.sysfs, "class/net");
  const routed = routedInterfaces(files);
  return list(folder).filter((name) => routed.has(name) && isTunnel(join(folder, name)));
}

/** True if the machine has a device for wireless networks. */
export function hasWireless({ sysfs }: NetworkFiles = systemNetworkFiles): boolean {
  const folder = join(sysfs, "class/net");
  return list(folder).some((name) => existsSync(join(folder, name, "phy80211")));
}

function isTunnel(folder: string): boolean {
  if (/^DEVTYPE=wireguard$/m.test(read(join(folder, "uevent")))) return true;
  // Bit 0: packets of the network layer. Virtual machines use the other kind (bit 1), with whole frames.
  return (Number(read(join(folder, "tun_flags")).trim()) & 1) === 1;
}

function reachingAddresses(): { readonly name: string; readonly text: string }[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.flatMap(({ internal, address, cidr }) => {
      if (internal || /^(fe[89ab].:|169\.254\.)/i.test(address)) return [];
      return [{ name, text: `${name} ${cidr ?? address}` }];
    }),
  );
}

interface Route {
  readonly name: string;
  readonly isDefault: boolean;
  readonly gateway: string;
}

/** Every interface has those of its own link. */
const linkRoute = /^(fe[89ab]|ff)/;

/** Routes that are up and lead out through an interface, further than its own link. */
function routes({ proc }: NetworkFiles): readonly Route[] {
  const up = 1;
  const reject = 0x200;
  const version4 = rows(join(proc, "net/route")).map(([name, to, gateway, flags, , , , mask]) => ({
    name,
    flags,
    gateway,
    isDefault: to === "00000000" && mask === "00000000",
  }));
  const version6 = rows(join(proc, "net/ipv6_route")).map(
    ([to, length, , , gateway, , , , flags, name]) => ({
      name: linkRoute.test(to ?? "") ? "lo" : name,
      flags,
      gateway,
      isDefault: length === "00" && /^0+$/.test(to ?? ""),
    }),
  );
  return [...version4, ...version6].flatMap(({ name, flags, gateway, isDefault }) => {
    const bits = Number.parseInt(flags ?? "", 16);
    const isUsed = (bits & up) !== 0 && (bits & reject) === 0 && name !== "lo";
    return isUsed && name !== undefined ? [{ name, isDefault, gateway: gateway ?? "" }] : [];
  });
}

function defaultRoutes(files: NetworkFiles): string[] {
  return routes(files)
    .filter(({ isDefault }) => isDefault)
    .map(({ name, gateway }) => `${name} via ${gateway}`);
}

function routedInterfaces(files: NetworkFiles): ReadonlySet<string> {
  return new Set(routes(files).map(({ name }) => name));
}

function rows(path: string): string[][] {
  return read(path)
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
