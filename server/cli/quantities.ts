/** Moments, sizes and durations as people read and write them. Pure. */
import { bytesOfSize, sizeUnits } from "../../protocol/size-text.ts";

const durationUnitsMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `1.5 GiB`; `-` if it is not known. */
export function sizeText(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return "-";
  const [unit, factor] = Object.entries(sizeUnits).find(([, each]) => bytes >= each) ?? ["B", 1];
  return `${Math.round((bytes / factor) * 10) / 10} ${unit}`;
}

/** Bytes of `500 MiB`, `1.5GiB` or a bare number; undefined if the text is no size. */
export function sizeOf(text: string): number | undefined {
  const trimmed = text.trim();
  return bytesOfSize(/\d$/.test(trimmed) ? `${trimmed} B` : trimmed);
}

/** `2026-03-01 12:00:05Z`; `-` if there is none. */
export function momentText(timeMs: number | null | undefined): string {
  if (timeMs === null || timeMs === undefined) return "-";
  return new Date(timeMs)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");
}

/** `5m ago`, `in 3d`; `-` if there is no such moment. */
export function agoText(timeMs: number | null | undefined, nowMs: number): string {
  if (timeMs === null || timeMs === undefined) return "-";
  const distance = durationText(Math.abs(nowMs - timeMs));
  return timeMs <= nowMs ? `${distance} ago` : `in ${distance}`;
}

/** The largest unit that is filled: `45s`, `5m`, `26h`, `3d`. */
export function durationText(durationMs: number): string {
  const [unit, factor] =
    [["d", 86_400_000] as const, ["h", 3_600_000] as const, ["m", 60_000] as const].find(
      ([, each]) => durationMs >= 2 * each,
    ) ?? (["s", 1000] as const);
  return `${Math.floor(durationMs / factor)}${unit}`;
}

/** Milliseconds of `90s`, `30m`, `12h`, `1d 12h`, `2w`; undefined if the text is no duration. */
export function durationOf(text: string): number | undefined {
  if (!/^\d{1,7}[smhdw](?: ?\d{1,7}[smhdw])*$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([smhdw])/g))
    totalMs += Number(count) * durationUnitsMs[unit];
  return totalMs;
}

/** Milliseconds since 1970 of `2026-03-01`, `2026-03-01T12:00Z` or a duration from now; undefined if it is neither. */
export function momentOf(text: string, nowMs: number): number | undefined {
  const durationMs = durationOf(text);
  if (durationMs !== undefined) return nowMs + durationMs;
  if (!/^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/.test(text))
    return undefined;
  const timeMs = Date.parse(text.replace(" ", "T"));
  return Number.isNaN(timeMs) ? undefined : timeMs;
}
