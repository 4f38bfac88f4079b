/** How many cells of a terminal a text takes, as far as that can be known. Pure. */

const combining = /^\p{Mark}$/u;
/** First and last code points of what terminals show two cells wide: East Asian scripts and pictures. */
const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1faff],
  [0x20000, 0x3fffd],
];

/** Cells of one character: 0, 1 or 2. */
function characterWidth(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  if (point < 0x300) return 1;
  if (combining.test(character)) return 0;
  return wideRanges.some(([first, last]) => point >= first && point <= last) ? 2 : 1;
}

/** Cells that a text without control characters takes. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The text cut in its middle, so that it takes at most `cells`: `/very/lo…/file.txt`. */
export function shortenMiddle(text: string, cells: number): string {
  if (displayWidth(text) <= cells) return text;
  const characters = [...text];
  let head = "";
  let headWidth = 0;
  for (const character of characters) {
    headWidth += characterWidth(character);
    if (headWidth > Math.floor((cells - 1) / 3)) break;
    head += character;
  }
  let tail = "";
  let left = cells - 1 - displayWidth(head);
  for (const character of characters.toReversed()) {
    left -= characterWidth(character);
    if (left < 0) break;
    tail = character + tail;
  }
  return cells < 1 ? "" : `${head}…${tail}`;
}

/** Pads with spaces to `cells`, at the right unless told otherwise. */
export function padCells(text: string, cells: number, side: "left" | "right" = "right"): string {
  const padding = " ".repeat(Math.max(0, cells - displayWidth(text)));
  return side === "right" ? text + padding : padding + text;
}
