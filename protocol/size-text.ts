/** Sizes as people write them: `1.5 GiB` in policies and for the server, `10M` for commands of the agent. Pure. */

/** Bytes of each unit, the largest first. */
export const sizeUnits = { TiB: 2 ** 40, GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10, B: 1 } as const;

/** `500 MiB`, `1.5GiB`. */
export const sizePattern = /^(\d{1,15}(?:\.\d{1,6})?) ?(B|KiB|MiB|GiB|TiB)$/;

/** Whole bytes of what `sizePattern` matches; undefined for anything else. */
export function bytesOfSize(text: string): number | undefined {
  const match = sizePattern.exec(text);
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * sizeUnits[match[2] as keyof typeof sizeUnits]);
}

/**
 * Bytes of a whole number and B, K, M, G or T (in either case, B if none) for powers of 1024; undefined for anything else.
 * It may be too large to be exact.
 */
export function bytesOfShortSize(text: string): number | undefined {
  const match = /^\+?(\d+)([BKMGT]?)$/i.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * 1024 ** "BKMGT".indexOf(match[2].toUpperCase());
}
