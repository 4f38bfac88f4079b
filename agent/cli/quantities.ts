/** Sizes, durations and instants as people read and write them. Pure. */

const unitNames = ["KiB", "MiB", "GiB", "TiB"];

/** `12 B`, `1.500 KiB` … `3.250 TiB`: three decimals, as restic shows sizes. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < unitNames.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(3)} ${unitNames[unit]}`;
}

/** `12 B`, `1.5 KiB`: for status lines, which have no room. */
export function formatBytesShort(bytes: number): string {
  return formatBytes(bytes).replace(/(\.\d)\d\d /, "$1 ");
}

/** `120.5 MiB/s`, or nothing while the rate is not known. */
export function formatRate(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined ? "" : `${formatBytesShort(Math.round(bytesPerSecond))}/s`;
}

/** `ETA 1:05`, or nothing while that is not known. */
export function formatArrival(remainingMs: number | undefined): string {
  return remainingMs === undefined ? "" : `ETA ${formatDuration(remainingMs)}`;
}

/** `M:SS`, or `H:MM:SS` from an hour on. Fractions of a second are cut. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const two = (value: number): string => String(value).padStart(2, "0");
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(seconds % 60)}`
    : `${minutes}:${two(seconds % 60)}`;
}

/** `45.12%`; empty if the whole is 0. Never above 100 %. */
export function formatPercent(part: number, whole: number): string {
  return whole <= 0 ? "" : `${Math.min(100, (100 * part) / whole).toFixed(2)}%`;
}

/** `1 error`, `2 errors`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** How much of the whole is done, 0 … 1; 0 while the whole is not known. */
export function shareOf(part: number, whole: number | undefined): number {
  return whole === undefined || whole <= 0 ? 0 : Math.min(1, part / whole);
}

/** For JSON that leaves out what is 0, as restic's does. */
export function unlessZero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

/** Date and time of day in the zone of this machine: `2026-03-01 12:00:00`. */
export function formatLocalTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const year = String(date.getFullYear()).padStart(4, "0");
  const day = `${year}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

const durationUnitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of `1h30m`, `5m`, `90s`, `250ms` or `0`; undefined if the text is no such duration. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smh]))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smh])/g))
    totalMs += Number(amount) * durationUnitsMs[unit];
  return totalMs;
}

const instantForm =
  /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?$/;

/**
 * Milliseconds since 1970 of `2026-03-01`, `2026-03-01 12:00`, `2026-03-01 12:00:30` with or without a zone
 * (`Z`, `+0100`); without one it is local time. Undefined if there is no such instant.
 */
export function parseInstant(text: string): number | undefined {
  const match = instantForm.exec(text.trim());
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const milliseconds = Math.floor(Number(`0.${match[7] ?? "0"}`) * 1000);
  const utcMs = Date.UTC(year, month - 1, day, hour, minute, second, milliseconds);
  const shown = new Date(utcMs);
  const exists =
    shown.getUTCMonth() === month - 1 &&
    shown.getUTCDate() === day &&
    hour < 24 &&
    minute < 60 &&
    second < 60;
  if (!exists) return undefined;
  const zone = match[8];
  if (zone === undefined)
    return new Date(year, month - 1, day, hour, minute, second, milliseconds).getTime();
  if (zone === "Z" || zone === "UTC") return utcMs;
  const offsetMinutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return utcMs - (zone.startsWith("-") ? -1 : 1) * offsetMinutes * 60_000;
}
