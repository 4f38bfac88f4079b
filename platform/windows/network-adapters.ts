/** What IP_ADAPTER_ADDRESSES says of this machine's network adapters (64-bit layout). */

export interface NetworkAdapter {
  readonly description: string;
  /** Type of interface, as IANA numbers them. */
  readonly type: number;
  readonly isUp: boolean;
  readonly hasGateway: boolean;
}

const offsets = {
  next: 8,
  description: 64,
  type: 100,
  operationalStatus: 104,
  firstGateway: 208,
} as const;
const adapterBytesMin = 216;
const up = 1;
const adaptersMax = 1_000;

/** `bytes` is the memory that Windows filled, and `address` where it lay: its pointers lead into it. */
export function decodeAdapters(bytes: Uint8Array, address: bigint): readonly NetworkAdapter[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const placeOf = (pointer: bigint): number | undefined => {
    const at = pointer - address;
    return pointer !== 0n && at >= 0n && at < BigInt(bytes.length) ? Number(at) : undefined;
  };
  const found: NetworkAdapter[] = [];
  let at: number | undefined = bytes.length === 0 ? undefined : 0;
  while (at !== undefined && at + adapterBytesMin <= bytes.length && found.length < adaptersMax) {
    found.push({
      description: wideAt(view, placeOf(view.getBigUint64(at + offsets.description, true))),
      type: view.getUint32(at + offsets.type, true),
      isUp: view.getUint32(at + offsets.operationalStatus, true) === up,
      hasGateway: view.getBigUint64(at + offsets.firstGateway, true) !== 0n,
    });
    at = placeOf(view.getBigUint64(at + offsets.next, true));
  }
  return found;
}

/** PPP, and tunnels of a VPN; not those that Windows itself uses to get from IPv4 to IPv6. */
const pppType = 23;
const tunnelType = 131;
const ownTunnels = /teredo|isatap|6to4|ip-https/i;
const vpnDrivers =
  /wireguard|wintun|tap-windows|openvpn|tailscale|zerotier|anyconnect|globalprotect|pangp|fortinet|forticlient|juniper|pulse secure|checkpoint|check point|sonicwall|zscaler|nordlynx|\bvpn\b/i;

/** Whether one of them is a VPN that is up. */
export function hasVpn(adapters: readonly NetworkAdapter[]): boolean {
  return adapters.some(
    ({ description, type, isUp }) =>
      isUp &&
      (type === pppType ||
        (type === tunnelType && !ownTunnels.test(description)) ||
        vpnDrivers.test(description)),
  );
}

function wideAt(view: DataView, at: number | undefined): string {
  let text = "";
  if (at === undefined) return text;
  for (let place = at; place + 2 <= view.byteLength; place += 2) {
    const unit = view.getUint16(place, true);
    if (unit === 0) break;
    text += String.fromCharCode(unit);
  }
  return text;
}
