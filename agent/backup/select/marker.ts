/** Files that mark the directory they lie in as one whose contents are left out. */
import { BackstayError } from "../../../protocol/backstay-error.ts";

/** A directory that has an entry of this name, beginning with this header if there is one, is marked. */
export interface MarkerRule {
  readonly name: Uint8Array;
  /** Empty if being there is enough. */
  readonly header: Uint8Array;
}

const cacheSignature = "Signature: 8a477f597d28d172789f06886806bc55";

/** The rule of the Cache Directory Tagging Standard, for `--exclude-caches`. */
export const cacheMarker: MarkerRule = {
  name: new TextEncoder().encode("CACHEDIR.TAG"),
  header: new TextEncoder().encode(cacheSignature),
};

/** Longest header that a rule may ask for. */
const maxHeaderBytes = 65_536;

/** A rule from `NAME` or `NAME:HEADER`, as `--exclude-if-present` takes it. Throws USAGE. */
export function parseMarkerRule(text: string): MarkerRule {
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  if (name === "" || name.includes("/") || name === "." || name === "..") {
    throw badRule(text, "a file name must stand before the colon");
  }
  if (!text.isWellFormed() || text.includes("\ufffd") || name.includes("\0")) {
    throw badRule(text, "it is not a name in UTF-8");
  }
  const header = new TextEncoder().encode(colon < 0 ? "" : text.slice(colon + 1));
  if (header.length > maxHeaderBytes) {
    throw badRule(text, `the header is longer than ${maxHeaderBytes} bytes`);
  }
  return { name: new TextEncoder().encode(name), header };
}

function badRule(text: string, reason: string): BackstayError {
  return new BackstayError("USAGE", {
    option: "--exclude-if-present",
    value: text.slice(0, 100),
    reason,
  });
}
