/** Simple Unicode case folding of names given as raw bytes: one character to one, the same in every locale. */
import { characterAt, writeCharacter } from "./utf8-character.ts";

/** No character from here on has case. */
const casedEnd = 0x20000;

/** Capital I with a dot has no simple folding of its own; restic lowers it to `i`, so do we. */
const dottedCapitalI = 0x130;
/** Its upper case is a plain `I`, with which it is never equal. */
const dotlessSmallI = 0x131;

/** Characters that no change of case joins, because their upper case is several characters. */
const joined = new Map([
  [0x1fd3, 0x0390],
  [0x1fe3, 0x03b0],
  [0xfb05, 0xfb06],
]);

/** Folded code plus one by code; 0 where it was not asked for yet. */
let known: Int32Array | undefined;

/** The character that stands for `code` and for all its case variants. Codes of raw bytes stay as they are. */
export function foldCharacter(code: number): number {
  if (code < 0x80) return code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
  if (code >= casedEnd) return code;
  known ??= new Int32Array(casedEnd);
  if (known[code] === 0) known[code] = 1 + computeFold(code);
  return known[code] - 1;
}

/**
 * Writes `names[start, end)` folded to `target` and returns its length in bytes. Bytes that are not valid
 * UTF-8 stay. `target` must hold twice the length of the name plus 4.
 */
export function foldName(
  names: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
): number {
  let length = 0;
  for (let at = start; at < end; ) {
    const byte = names[at];
    if (byte < 0x80) {
      target[length++] = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
      at++;
      continue;
    }
    const character = characterAt(names, at, end);
    length += writeCharacter(foldCharacter(character >> 3), target, length);
    at += character & 7;
  }
  return length;
}

function computeFold(code: number): number {
  if (code === dottedCapitalI) return 0x69;
  if (code === dotlessSmallI) return code;
  const twin = joined.get(code);
  if (twin !== undefined) return twin;
  const upper = onlyCharacter(String.fromCodePoint(code).toUpperCase(), code);
  return onlyCharacter(String.fromCodePoint(upper).toLowerCase(), upper);
}

/** The one character of `text`, or `otherwise` if a case change made several. */
function onlyCharacter(text: string, otherwise: number): number {
  const code = text.codePointAt(0) ?? otherwise;
  return text.length === (code > 0xffff ? 2 : 1) ? code : otherwise;
}
