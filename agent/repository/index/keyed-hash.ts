/** The hash by which tables choose slots for ids: keyed, so that nobody can prepare ids that collide. */

const finalRounds = 3;

/**
 * HalfSipHash with one round a word and three at the end (Aumasson and Bernstein), as hash tables of kernels
 * use it, over the eight words of an id. A signed 32-bit number.
 */
export function keyedHash(words: Int32Array, keyLow: number, keyHigh: number): number {
  let v0 = keyLow;
  let v1 = keyHigh;
  let v2 = 0x6c796765 ^ v0;
  let v3 = 0x74656462 ^ v1;
  for (let i = 0; i < 8 + finalRounds; i += 1) {
    const word = i < 8 ? words[i] : 0;
    if (i === 8) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return v1 ^ v3;
}
