/** The text of a file or program output that holds one secret. */
import { BackstayError } from "../../protocol/backstay-error.ts";

/** Go counts these as white space; JavaScript's `trim` also takes a byte order mark. */
const outerSpace =
  /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/g;

/**
 * The bytes of a password in a file: a byte order mark is dropped, UTF-16 becomes UTF-8, and white space at both
 * ends goes, as restic does it. Bytes that are not UTF-8 stay as they are. USAGE if UTF-16 is broken.
 */
export function secretBytes(content: Uint8Array, origin: string): Uint8Array {
  const encoding = markedEncoding(content);
  if (encoding !== undefined) {
    try {
      const text = new TextDecoder(encoding, { fatal: true }).decode(content);
      return new TextEncoder().encode(text.replace(outerSpace, ""));
    } catch (error) {
      throw new BackstayError(
        "USAGE",
        { in: origin, problem: `it is no valid ${encoding}` },
        error,
      );
    }
  }
  // One character a byte, so that whatever stands inside is kept.
  const text = Buffer.from(content).toString("latin1");
  const asciiTrimmed = text.replace(/^[\t-\r ]+|[\t-\r ]+$/g, "");
  const bytes = Buffer.from(asciiTrimmed, "latin1");
  const decoded = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  if (decoded.includes("\ufffd")) return new Uint8Array(bytes);
  return new TextEncoder().encode(decoded.replace(outerSpace, ""));
}

function markedEncoding(content: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" | undefined {
  const [first, second, third] = content;
  if (first === 0xef && second === 0xbb && third === 0xbf) return "utf-8";
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  return undefined;
}
