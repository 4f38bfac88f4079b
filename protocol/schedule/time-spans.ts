/** Spans of time by the wall clock that have been dealt with: a slot within is never looked at again. */

/** From and to, ms since 1970, both included. */
export type TimeSpan = readonly [fromMs: number, toMs: number];

/** More are not kept: the two that are closest become one. */
export const spansMax = 6;

/** The span that holds a moment, if there is one. */
export function spanAt(spans: readonly TimeSpan[], atMs: number): TimeSpan | undefined {
  return spans.find(([fromMs, toMs]) => fromMs <= atMs && atMs <= toMs);
}

/** The spans with one more, in order; those that touch are one. */
export function withSpan(spans: readonly TimeSpan[], added: TimeSpan): readonly TimeSpan[] {
  const joined: TimeSpan[] = [];
  for (const span of [...spans, added].sort(([one], [other]) => one - other)) {
    const last = joined.at(-1);
    if (last !== undefined && span[0] <= last[1] + 1)
      joined[joined.length - 1] = [last[0], Math.max(last[1], span[1])];
    else joined.push(span);
  }
  while (joined.length > spansMax) joinClosest(joined);
  return joined;
}

function joinClosest(spans: TimeSpan[]): void {
  let closest = 0;
  for (let at = 1; at + 1 < spans.length; at++)
    if (distance(spans, at) < distance(spans, closest)) closest = at;
  spans.splice(closest, 2, [spans[closest][0], spans[closest + 1][1]]);
}

function distance(spans: readonly TimeSpan[], at: number): number {
  return spans[at + 1][0] - spans[at][1];
}
