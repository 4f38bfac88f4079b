/** How people write which packs a check reads: `structure`, `all`, `1/5`, `2.5%`, `10G`. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { bytesOfShortSize } from "../../../protocol/size-text.ts";
import { type ReadData, slicesMax } from "./read-selection.ts";

/** `structure` reads none. USAGE for anything that is no known form. */
export function dataToRead(text: string): ReadData {
  if (text === "structure") return { kind: "none" };
  if (text === "all") return { kind: "all" };
  const part = partOfData(text);
  if (part !== undefined) return part;
  throw new BackstayError("USAGE", {
    value: text.slice(0, 100),
    problem: "what a check reads is `structure`, `all`, or a part such as 1/5, 2.5% or 10G",
  });
}

/** A part of the data; undefined if it is written in no known form, or is nothing. */
export function partOfData(text: string): ReadData | undefined {
  const slice = /^(\d{1,3})\/(\d{1,3})$/.exec(text);
  if (slice !== null) {
    const [part, of] = slice.slice(1).map(Number);
    return part >= 1 && part <= of && of <= slicesMax ? { kind: "slice", part, of } : undefined;
  }
  const percent = Number(/^(\d{1,3}(?:\.\d+)?)%$/.exec(text)?.[1] ?? 0);
  if (percent > 0) return percent <= 100 ? { kind: "percent", percent } : undefined;
  const bytes = bytesOfShortSize(text) ?? 0;
  return bytes > 0 && Number.isSafeInteger(bytes) ? { kind: "bytes", bytes } : undefined;
}
