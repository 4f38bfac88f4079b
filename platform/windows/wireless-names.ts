/** What the structures of wlanapi.dll say. */

const headBytes = 8;
const interfaceBytes = 532;
const idBytes = 16;
const stateOffset = 528;
const connected = 1;

/** Ids of the connected interfaces of WLAN_INTERFACE_INFO_LIST. */
export function decodeInterfaces(list: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(list.buffer, list.byteOffset, list.length);
  const found: Uint8Array[] = [];
  const count = view.getUint32(0, true);
  for (let i = 0; i < count && headBytes + (i + 1) * interfaceBytes <= list.length; i += 1) {
    const at = headBytes + i * interfaceBytes;
    if (view.getUint32(at + stateOffset, true) === connected)
      found.push(list.slice(at, at + idBytes));
  }
  return found;
}

/** State, mode, and 256 UTF-16 units with the name of a profile lie before it. */
const nameLengthOffset = 520;
const nameBytesMax = 32;

/** The network's name of WLAN_CONNECTION_ATTRIBUTES; undefined if there is none. Names are bytes, in UTF-8 as good as always. */
export function decodeConnection(attributes: Uint8Array): string | undefined {
  if (attributes.length < nameLengthOffset + 4 + nameBytesMax) return undefined;
  const view = new DataView(attributes.buffer, attributes.byteOffset, attributes.length);
  const length = view.getUint32(nameLengthOffset, true);
  const begin = nameLengthOffset + 4;
  if (view.getUint32(0, true) !== connected || length === 0 || length > nameBytesMax)
    return undefined;
  return Buffer.from(attributes.slice(begin, begin + length)).toString();
}
