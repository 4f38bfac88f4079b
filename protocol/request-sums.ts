/** What requests a store was asked for, in the kinds that providers charge by. */

export const requestKinds = ["put", "get", "list", "head", "delete", "other"] as const;

/** Sums; bytes are those of bodies. */
export interface RequestSums {
  readonly requests: Readonly<Record<(typeof requestKinds)[number], number>>;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

/** All requests, of whatever kind. */
export function requestsOf({ requests }: RequestSums): number {
  return requestKinds.reduce((sum, kind) => sum + requests[kind], 0);
}

/** For people: `12 put, 3 get`; kinds of which there were none are left out. Takes what another version has told too. */
export function requestsText(requests: Readonly<Record<string, number>>): string {
  return Object.entries(requests)
    .flatMap(([kind, count]) => (count > 0 ? [`${count} ${kind}`] : []))
    .join(", ");
}
