/** Which packs a check reads whole. */
import { BackstayError } from "../../../protocol/backstay-error.ts";

export type ReadData =
  | { readonly kind: "none" }
  | { readonly kind: "all" }
  /** Part `part` of `of`, by the first byte of a pack's id, as restic divides: all parts together are all packs. */
  | { readonly kind: "slice"; readonly part: number; readonly of: number }
  /** So many percent of the packs, chosen by chance. Above 0, at most 100. */
  | { readonly kind: "percent"; readonly percent: number }
  /** Packs of so many bytes together, chosen by chance. Above 0. */
  | { readonly kind: "bytes"; readonly bytes: number };

/** Parts that the first byte of an id can tell apart. */
export const slicesMax = 256;

/** A pack to choose. */
export interface SelectablePack {
  readonly firstByte: number;
  /** Bytes stored. */
  readonly sizeBytes: number;
}

/** USAGE if the numbers make no sense. */
export function assertReadData(wanted: ReadData): void {
  const problem = usageProblem(wanted);
  if (problem !== undefined) throw new BackstayError("USAGE", { problem });
}

function usageProblem(wanted: ReadData): string | undefined {
  if (wanted.kind === "slice") {
    const { part, of } = wanted;
    const isPossible = Number.isInteger(part) && Number.isInteger(of) && part >= 1 && part <= of;
    return isPossible && of <= slicesMax
      ? undefined
      : `a part of the data is given as n/t with 1 <= n <= t <= ${slicesMax}`;
  }
  if (wanted.kind === "percent" && !(wanted.percent > 0 && wanted.percent <= 100))
    return "a share of the data is above 0 % and at most 100 %";
  if (wanted.kind === "bytes" && !(wanted.bytes > 0)) return "an amount of data is above 0 bytes";
  return undefined;
}

/** By position in `packs`: true for those to read. `random` is uniform in [0, 1). */
export function selectPacks(
  packs: readonly SelectablePack[],
  wanted: ReadData,
  random: () => number,
): boolean[] {
  const chosen = new Array<boolean>(packs.length).fill(wanted.kind === "all");
  if (wanted.kind === "slice")
    return packs.map(({ firstByte }) => firstByte % wanted.of === wanted.part - 1);
  if (wanted.kind === "percent") {
    const count = Math.max(1, Math.floor((packs.length * wanted.percent) / 100));
    for (const place of shuffled(packs.length, random).subarray(0, count)) chosen[place] = true;
  }
  if (wanted.kind === "bytes") {
    let bytes = 0;
    for (const place of shuffled(packs.length, random)) {
      if (bytes >= wanted.bytes) break;
      chosen[place] = true;
      bytes += packs[place].sizeBytes;
    }
  }
  return chosen;
}

/** 0 … count-1 in an order by chance. */
function shuffled(count: number, random: () => number): Uint32Array {
  const places = Uint32Array.from({ length: count }, (_, place) => place);
  for (let last = count - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const place = places[last];
    places[last] = places[other];
    places[other] = place;
  }
  return places;
}
