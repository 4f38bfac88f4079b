/** Snapshots in the JSON of restic's commands. */
import { utf8Text } from "../repository/json/utf8.ts";
import { encodeSnapshot } from "../repository/snapshot/snapshot-codec.ts";
import { type NamedSnapshot, shortIdLength } from "../repository/snapshot/snapshot-finder.ts";

/** The JSON object of a snapshot with its ids, and `more` members (`,"a":1`) at its end. */
export function snapshotJson({ id, snapshot }: NamedSnapshot, more = ""): string {
  const stored = utf8Text(encodeSnapshot(snapshot));
  const ids = `,"id":"${id}","short_id":"${id.slice(0, shortIdLength)}"`;
  return `${stored.slice(0, -1)}${ids}${more}}`;
}
