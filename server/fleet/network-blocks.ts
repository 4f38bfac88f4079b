/** Addresses and the CIDR blocks that they are in. Pure. */
import { BlockList, isIP } from "node:net";

/** True if it is a block such as `10.0.0.0/8` or `2001:db8::/32`; a single address is one too. */
export function isNetworkBlock(text: string): boolean {
  return partsOf(text) !== undefined;
}

/** True if `address` is in one of the blocks, or if there are none: anywhere. */
export function isInNetworks(address: string, blocks: readonly string[]): boolean {
  if (blocks.length === 0) return true;
  // What an IPv6 socket says of an IPv4 peer.
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  const family = isIP(plain);
  if (family === 0) return false;
  const list = new BlockList();
  for (const block of blocks) {
    const parts = partsOf(block);
    if (parts !== undefined) list.addSubnet(parts.network, parts.bits, parts.type);
  }
  return list.check(plain, family === 4 ? "ipv4" : "ipv6");
}

interface BlockParts {
  readonly network: string;
  readonly bits: number;
  readonly type: "ipv4" | "ipv6";
}

function partsOf(text: string): BlockParts | undefined {
  const [network, bits, ...rest] = text.split("/");
  const family = isIP(network);
  if (family === 0 || rest.length > 0) return undefined;
  const most = family === 4 ? 32 : 128;
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > most)) return undefined;
  const type = family === 4 ? "ipv4" : "ipv6";
  return { network, bits: bits === undefined ? most : Number(bits), type };
}
