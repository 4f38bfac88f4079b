/**
 * Values that a secret had before, sealed, newest first: a machine that was off while its password changed, perhaps
 * several times, needs the one that its repository still has.
 */
const valuesMax = 10;

/** The sealed values that a column holds. */
export function previousValues(column: string | null): string[] {
  return column === null ? [] : (JSON.parse(column) as string[]);
}

/** The column when another value takes the place of `sealed`; the oldest values go when there are too many. */
export function withPrevious(sealed: string, column: string | null): string {
  return JSON.stringify([sealed, ...previousValues(column)].slice(0, valuesMax));
}
