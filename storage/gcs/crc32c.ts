/** CRC-32C (Castagnoli): the checksum that Google keeps of each object. Pure. */

const polynomialReflected = 0x82f63b78;
const slices = 8;

/** Table k says what a byte does to the checksum when k more bytes have followed it. */
const tables = makeTables();
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables;

/** The checksum of `data` after that of what came before it (0 at the beginning); from 0 to 2^32-1. */
export function crc32c(data: Uint8Array, before = 0): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let crc = ~before;
  let at = 0;
  for (const end = data.length - slices; at <= end; at += slices) {
    const low = crc ^ view.getInt32(at, true);
    const high = view.getInt32(at + 4, true);
    crc =
      t7[low & 255] ^
      t6[(low >>> 8) & 255] ^
      t5[(low >>> 16) & 255] ^
      t4[low >>> 24] ^
      t3[high & 255] ^
      t2[(high >>> 8) & 255] ^
      t1[(high >>> 16) & 255] ^
      t0[high >>> 24];
  }
  for (; at < data.length; at += 1) crc = t0[(crc ^ data[at]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** As Google writes it: base64 of the four bytes, the highest first. */
export function crc32cText(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc);
  return bytes.toString("base64");
}

function makeTables(): Int32Array[] {
  const made = Array.from({ length: slices }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1)
      crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomialReflected : crc >>> 1;
    made[0][byte] = crc;
  }
  for (let slice = 1; slice < slices; slice += 1)
    for (let byte = 0; byte < 256; byte += 1) {
      const previous = made[slice - 1][byte];
      made[slice][byte] = (previous >>> 8) ^ made[0][previous & 255];
    }
  return made;
}
