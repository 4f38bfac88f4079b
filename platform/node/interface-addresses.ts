/** Addresses of this machine's network interfaces, as Node lists them on every system. */
import { networkInterfaces } from "node:os";

/** A text that differs whenever an address or an interface comes or goes. */
export function addressesText(): string {
  return Object.entries(networkInterfaces())
    .flatMap(([name, addresses]) => (addresses ?? []).map(({ cidr }) => `${name} ${cidr}`))
    .sort()
    .join("\n");
}

/** True if one of them leads to other machines: addresses of the link alone don't. */
export function hasReachableAddress(): boolean {
  return Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .some(({ internal, address }) => !internal && !/^(fe[89ab].:|169\.254\.)/i.test(address));
}
