/**
 * What of an awkward tree does not come back, and why. Each limit names its entries one by one, so that nothing else
 * hides behind it.
 */
import type { ComparedField, TreeDifference } from "../tree-comparison.ts";

/** True for a difference that is known. */
export type Limit = (difference: TreeDifference) => boolean;

/** Matches one field of these entries. */
export function limit(field: ComparedField, ...paths: readonly string[]): Limit {
  const known = new Set(paths);
  return (difference) => difference.field === field && known.has(difference.path);
}

export function anyOf(...limits: readonly Limit[]): Limit {
  return (difference) => limits.some((isKnown) => isKnown(difference));
}

export const nothing: Limit = () => false;

/** restic 0.14 keeps bytes of link targets that are not UTF-8 neither when it backs up nor when it restores. */
const olderTargets = limit("target", "links/with broken UTF-8", "links/with half a surrogate");

/** With replacement characters this target is longer than any that Linux takes: left out with `--exclude`. */
export const tooLongForOlder = "links/of 4095 broken bytes";

/** restic 0.14 neither stores nor restores attributes of symlinks. */
const olderAttributes = limit("attributes", "links/with an attribute");

const older = anyOf(olderTargets, olderAttributes, limit("presence", tooLongForOlder));

const sockets = limit("presence", "special/socket", "hard links/a/socket", "hard links/b/socket");

/** restic leaves sockets out, and does not say which fifos are one. */
const resticSnapshots = anyOf(sockets, limit("links", "hard links/b/fifo"));

/** In restic 64 bits of nanoseconds hold a time: they end in 2262. */
const resticTimes = limit(
  "mtime",
  "times/file far 15032385535.999999999",
  "times/folder far 15032385535.999999999",
);

/** restic gives several names to nothing but files. */
const resticLinks = limit(
  "links",
  "hard links/b/fifo",
  "hard links/b/symlink",
  "hard links/b/device",
);

const resticRestores = anyOf(sockets, resticTimes, resticLinks);

/** With `--sparse` only what a blob of zeros covers, or what a blob begins with, becomes a hole. */
const smallHoles = limit("space", "sparse/many small holes", "sparse/holes that fit no block");

/** By whom a snapshot was made, or restored. */
export const snapshotLimits = {
  backstay: nothing,
  restic014: anyOf(resticSnapshots, older),
  restic018: resticSnapshots,
} as const;

export const restoreLimits = {
  backstay: nothing,
  restic014: anyOf(resticRestores, older, ({ field }) => field === "space"),
  restic018: anyOf(resticRestores, smallHoles),
} as const;
