/** Short constant pieces of JSON, kept so that they are copied eight bytes at a time. */
import { utf8Bytes } from "../json/utf8.ts";

/** `putSnippet` may write this many bytes more than the snippet has. */
export const snippetSlackBytes = 8;

/**
 * Text as 64-bit floats: the only numbers of eight bytes that are moved without making an object. No
 * eight bytes of valid UTF-8 are the bits of a NaN, the one value whose bits could change on the way.
 */
export interface Snippet {
  readonly words: Float64Array;
  readonly length: number;
}

/** A snippet of the text. */
export function snippet(text: string): Snippet {
  const bytes = utf8Bytes(text);
  const words = new Float64Array(Math.ceil(bytes.length / 8));
  new Uint8Array(words.buffer).set(bytes);
  return { words, length: bytes.length };
}

/**
 * Writes the snippet at `at` and returns the place after it. Up to `snippetSlackBytes` bytes behind that
 * place are overwritten too.
 */
export function putSnippet(target: DataView, at: number, piece: Snippet): number {
  const words = piece.words;
  for (let word = 0; word < words.length; word += 1) {
    target.setFloat64(at + word * 8, words[word], littleEndian);
  }
  return at + piece.length;
}

/** The byte order of typed arrays here, so that bytes come out in the order in which they went in. */
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
