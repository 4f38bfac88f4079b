/** Groups of snapshots, as `--group-by` makes them. Pure. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { NamedSnapshot } from "../repository/snapshot/snapshot-finder.ts";

export interface GroupBy {
  readonly host: boolean;
  readonly paths: boolean;
  readonly tags: boolean;
}

/** What the snapshots of a group have in common; null where it was not asked for. */
export interface GroupKey {
  readonly hostname: string;
  readonly paths: readonly string[] | null;
  readonly tags: readonly string[] | null;
}

export interface SnapshotGroup {
  readonly key: GroupKey;
  readonly snapshots: readonly NamedSnapshot[];
}

/** Reads `host,paths,tags` or a part of it. USAGE for any other word. */
export function parseGroupBy(text: string): GroupBy {
  const words = text.split(",").filter((word) => word !== "");
  const known = ["host", "hosts", "path", "paths", "tag", "tags"];
  const wrong = words.find((word) => !known.includes(word));
  if (wrong !== undefined)
    throw new BackstayError("USAGE", {
      option: "--group-by",
      problem: `"${wrong}" is none of host, paths, tags`,
    });
  const has = (word: string): boolean => words.includes(word) || words.includes(`${word}s`);
  return { host: has("host"), paths: has("path"), tags: has("tag") };
}

/** The groups by the order of their keys; inside a group the snapshots keep their order. */
export function groupSnapshots(snapshots: readonly NamedSnapshot[], by: GroupBy): SnapshotGroup[] {
  const groups = new Map<string, { key: GroupKey; snapshots: NamedSnapshot[] }>();
  for (const named of snapshots) {
    const { hostname, paths, tags } = named.snapshot;
    const key: GroupKey = {
      hostname: by.host ? hostname : "",
      paths: by.paths ? paths.toSorted() : null,
      tags: by.tags && tags.length > 0 ? tags.toSorted() : null,
    };
    const text = JSON.stringify(key);
    const group = groups.get(text) ?? { key, snapshots: [] };
    groups.set(text, group);
    group.snapshots.push(named);
  }
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

/** The last `count` snapshots of each host and list of paths, oldest first. */
export function latestOfEach(snapshots: readonly NamedSnapshot[], count: number): NamedSnapshot[] {
  const kept = groupSnapshots(snapshots, { host: true, paths: true, tags: false }).flatMap(
    (group) => group.snapshots.slice(-count),
  );
  const wanted = new Set(kept.map(({ id }) => id));
  return snapshots.filter(({ id }) => wanted.has(id));
}
