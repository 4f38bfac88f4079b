/** How long a server wants to be left alone. */

/** Value of a Retry-After header, which is seconds or a date, in ms from now; undefined if it is neither. */
export function waitMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const untilMs = Date.parse(value);
  return Number.isNaN(untilMs) ? undefined : Math.max(0, untilMs - Date.now());
}
