/** Text files with one pattern or path a line: byte order marks and line ends, whatever editor wrote them. */
import { BackstayError } from "../../../protocol/backstay-error.ts";

/** A file that was given on the command line or by a policy. */
export interface ListFile {
  /** For messages. */
  readonly name: string;
  readonly content: Uint8Array;
}

/** One line, without its line end, in UTF-8 or in the raw bytes that the file has. */
export interface ListLine {
  readonly text: Uint8Array;
  /** `file:line`, for messages. */
  readonly origin: string;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * The lines of a file, which is UTF-8 with or without a mark, or UTF-16 with one. Bytes that are not UTF-8 stay as they
 * are. Throws USAGE if UTF-16 is broken.
 */
export function* linesOf(file: ListFile): Generator<ListLine> {
  const text = decode(file);
  let line = 0;
  for (let start = 0; start < text.length; ) {
    const feed = text.indexOf(lineFeed, start);
    const end = feed < 0 ? text.length : feed;
    const hasReturn = end > start && text[end - 1] === carriageReturn;
    line++;
    yield {
      text: text.subarray(start, hasReturn ? end - 1 : end),
      origin: `${file.name}:${line}`,
    };
    start = end + 1;
  }
}

/** A line without white space at its ends. */
export function trimmed(text: Uint8Array): Uint8Array {
  const shown = new TextDecoder("utf-8", { ignoreBOM: true }).decode(text);
  const lead = shown.length - shown.trimStart().length;
  const tail = shown.length - shown.trimEnd().length;
  const leadBytes = new TextEncoder().encode(shown.slice(0, lead)).length;
  const tailBytes = new TextEncoder().encode(shown.slice(shown.length - tail)).length;
  return leadBytes + tailBytes >= text.length
    ? new Uint8Array(0)
    : text.subarray(leadBytes, text.length - tailBytes);
}

function decode(file: ListFile): Uint8Array {
  const bytes = file.content;
  if (startsWith(bytes, 0xef, 0xbb, 0xbf)) return bytes.subarray(3);
  const isLittle = startsWith(bytes, 0xff, 0xfe);
  if (!isLittle && !startsWith(bytes, 0xfe, 0xff)) return bytes;
  try {
    const decoder = new TextDecoder(isLittle ? "utf-16le" : "utf-16be", { fatal: true });
    return new TextEncoder().encode(decoder.decode(bytes));
  } catch (error) {
    throw new BackstayError("USAGE", { file: file.name, reason: "it is not valid UTF-16" }, error);
  }
}

function startsWith(bytes: Uint8Array, ...mark: number[]): boolean {
  return mark.every((byte, index) => bytes[index] === byte);
}
