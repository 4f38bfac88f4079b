/** The Range header of a request, for one range of bytes. Pure. */

import type { ByteRange } from "../../storage/object-store.ts";

/** Which bytes to send of a file; `whole` if the header asks for nothing that we know. */
export type WantedBytes =
  | { readonly kind: "whole" }
  /** `length` is above 0. */
  | { readonly kind: "part"; readonly offset: number; readonly length: number }
  /** The file ends before. */
  | { readonly kind: "none" };

/** `bytes=a-b`, `bytes=a-` and `bytes=-n` of a file of `sizeBytes`; what ends behind the file is cut. */
export function wantedBytes(header: string | undefined, sizeBytes: number): WantedBytes {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === ""))
    return { kind: "whole" };
  const isSuffix = first === "";
  const offset = isSuffix ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = isSuffix || last === "" ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  if (!isSuffix && last !== "" && Number(last) < offset) return { kind: "whole" };
  return offset < end ? { kind: "part", offset, length: end - offset } : { kind: "none" };
}

/** The bytes of `bytes=a-b`, which need no size to be known, unless the file ends before; undefined for anything else. */
export function plainRange(header: string | undefined): ByteRange | undefined {
  const [, first = "", last = ""] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header ?? "") ?? [];
  const offset = Number(first);
  const length = Number(last) - offset + 1;
  return first !== "" && length > 0 ? { offset, length } : undefined;
}
