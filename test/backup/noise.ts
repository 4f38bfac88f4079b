/** Bytes for tests that can't be compressed and repeat nowhere. */

/** The same for the same seed; made word by word, some hundred MB a second. */
export function noiseOf(bytes: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  let state = Math.imul(seed + 1, 2_654_435_761) | 0;
  for (let i = 0; i < words.length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    words[i] = state ^ (state >>> 13);
  }
  return Buffer.from(words.buffer).subarray(0, bytes);
}
