/** What the programs of macOS print about networks. */

/** The interfaces that default routes use, of `scutil`'s `show State:/Network/Global/IPv4` and `…/IPv6`. */
export function decodePrimaryInterfaces(output: string): readonly string[] {
  const names = [...output.matchAll(/^\s*PrimaryInterface : (\S+)$/gm)].map((match) => match[1]);
  return [...new Set(names)];
}

/** Whether `scutil --nc list` shows a VPN that is up. */
export function hasConnectedVpn(output: string): boolean {
  return /^\*?\s*\(Connected\)/m.test(output);
}

/** Whether packets of an interface of that name go through a tunnel. */
export function isTunnel(interfaceName: string): boolean {
  return /^(?:utun|ipsec|ppp|tun|tap)\d+$/.test(interfaceName);
}

/** Devices of the wireless ports in `networksetup -listallhardwareports`. */
export function decodeWirelessDevices(output: string): readonly string[] {
  return [...output.matchAll(/^Hardware Port: (?:Wi-Fi|AirPort)\nDevice: (\S+)$/gm)].map(
    (match) => match[1],
  );
}

/**
 * The name of the network in `ipconfig getsummary DEVICE`: undefined if there is none, `hidden` if macOS keeps it to
 * programs that may know where the machine is.
 */
export function decodeWirelessName(
  output: string,
): { readonly name: string } | "hidden" | undefined {
  const name = /^ *SSID : (.+)$/m.exec(output)?.[1];
  if (name === undefined) return undefined;
  return name === "<redacted>" ? "hidden" : { name };
}
