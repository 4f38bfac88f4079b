/** Ids: SHA-256 values, 32 bytes in memory and 64 lowercase hex digits in names and JSON. */
export const idBytes = 32;

const hexName = /^[0-9a-f]{64}$/;

/** True for 64 lowercase hex digits. */
export function isHexId(text: string): boolean {
  return hexName.test(text);
}

/** Hex digits of the id at `ids[offset]`. */
export function idToHex(ids: Uint8Array, offset = 0): string {
  return Buffer.from(ids.buffer, ids.byteOffset + offset, idBytes).toString("hex");
}

/** The 32 bytes of a hex id; the caller has checked it with `isHexId`. */
export function idFromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}
