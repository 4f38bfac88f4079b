/** Snapshots as JSON: written in the order and with the escapes of Go, read from whoever wrote them. */

import { goJsonString } from "../json/go-string.ts";
import { JsonFields } from "../json/json-fields.ts";
import { parseJson } from "../json/parse-json.ts";
import { utf8Bytes } from "../json/utf8.ts";
import { ByteWriter } from "../tree/byte-writer.ts";
import { parseTime, unsetTime } from "../tree/rfc3339.ts";
import {
  type Snapshot,
  type SnapshotSummary,
  type SnapshotTime,
  snapshotTime,
} from "./snapshot.ts";

/** Long lists of paths and excludes are the only things that make a snapshot large. */
export const maximumSnapshotBytes = 128 * 1024 * 1024;

/** The names of the counts in a summary, in the order in which they are written. */
const summaryCounts = [
  ["files_new", "filesNew"],
  ["files_changed", "filesChanged"],
  ["files_unmodified", "filesUnmodified"],
  ["dirs_new", "dirsNew"],
  ["dirs_changed", "dirsChanged"],
  ["dirs_unmodified", "dirsUnmodified"],
  ["data_blobs", "dataBlobs"],
  ["tree_blobs", "treeBlobs"],
  ["data_added", "dataAdded"],
  ["data_added_packed", "dataAddedPacked"],
  ["total_files_processed", "totalFilesProcessed"],
  ["total_bytes_processed", "totalBytesProcessed"],
] as const;

/** The plain bytes of a snapshot file. A summary is written whole: what it lacks becomes 0. */
export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  const out = new ByteWriter(4096);
  out.ascii('{"time":');
  out.raw(goJsonString(snapshot.time.text));
  writeId(out, "parent", snapshot.parent);
  writeId(out, "tree", snapshot.tree);
  writeStrings(out, "paths", snapshot.paths);
  writeString(out, "hostname", snapshot.hostname);
  writeString(out, "username", snapshot.username);
  if (snapshot.uid !== 0) out.ascii(`,"uid":${snapshot.uid}`);
  if (snapshot.gid !== 0) out.ascii(`,"gid":${snapshot.gid}`);
  if (snapshot.excludes.length > 0) writeStrings(out, "excludes", snapshot.excludes);
  if (snapshot.tags.length > 0) writeStrings(out, "tags", snapshot.tags);
  writeId(out, "original", snapshot.original);
  writeString(out, "program_version", snapshot.programVersion);
  if (snapshot.summary !== undefined) writeSummary(out, snapshot.summary);
  out.byte(0x7d);
  return out.copy();
}

function writeSummary(out: ByteWriter, summary: SnapshotSummary): void {
  const unset = snapshotTime(unsetTime.seconds, unsetTime.nanoseconds);
  out.ascii(',"summary":{"backup_start":');
  out.raw(goJsonString((summary.backupStart ?? unset).text));
  out.ascii(',"backup_end":');
  out.raw(goJsonString((summary.backupEnd ?? unset).text));
  for (const [name, count] of summaryCounts) out.ascii(`,"${name}":${summary[count] ?? 0}`);
  out.byte(0x7d);
}

function writeId(out: ByteWriter, name: string, id: Uint8Array | undefined): void {
  if (id === undefined) return;
  out.ascii(`,"${name}":"`);
  out.hex(id, 0, 32);
  out.byte(0x22);
}

function writeString(out: ByteWriter, name: string, text: string): void {
  if (text === "") return;
  out.ascii(`,"${name}":`);
  out.raw(goJsonString(text));
}

function writeStrings(out: ByteWriter, name: string, texts: readonly string[]): void {
  out.ascii(`,"${name}":[`);
  texts.forEach((text, index) => {
    if (index > 0) out.byte(0x2c);
    out.raw(goJsonString(text));
  });
  out.byte(0x5d);
}

/**
 * The snapshot that the plain bytes of a snapshot file hold. Only the tree is needed; everything else may
 * be missing or null, and unknown fields are ignored. Throws BackstayError REPOSITORY_DAMAGED if the
 * bytes are no JSON object, or a field is of the wrong kind.
 */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  const json = parseJson(bytes, { file: "snapshot", maximumBytes: maximumSnapshotBytes });
  const fields = new JsonFields(json, "snapshot");
  const parent = fields.optionalId("parent");
  const original = fields.optionalId("original");
  const summary = fields.optionalObject("summary");
  return {
    time: readTime(fields, "time") ?? snapshotTime(unsetTime.seconds, unsetTime.nanoseconds),
    ...(parent === undefined ? {} : { parent }),
    tree: fields.id("tree"),
    paths: fields.strings("paths"),
    hostname: fields.string("hostname", ""),
    username: fields.string("username", ""),
    uid: fields.u32("uid", 0),
    gid: fields.u32("gid", 0),
    excludes: fields.strings("excludes"),
    tags: fields.strings("tags"),
    ...(original === undefined ? {} : { original }),
    programVersion: fields.string("program_version", ""),
    ...(summary === undefined ? {} : { summary: readSummary(summary) }),
  };
}

function readSummary(fields: JsonFields): SnapshotSummary {
  const backupStart = readTime(fields, "backup_start");
  const backupEnd = readTime(fields, "backup_end");
  const counts: Partial<Record<(typeof summaryCounts)[number][1], number>> = {};
  for (const [name, count] of summaryCounts) {
    if (fields.value(name) !== undefined) counts[count] = fields.integer(name);
  }
  return {
    ...(backupStart === undefined ? {} : { backupStart }),
    ...(backupEnd === undefined ? {} : { backupEnd }),
    ...counts,
  };
}

/** An RFC 3339 time, or undefined if it is missing or null. */
export function readTime(fields: JsonFields, name: string): SnapshotTime | undefined {
  if (fields.value(name) === undefined) return undefined;
  const text = fields.string(name);
  const time = parseTime(utf8Bytes(text));
  return time === undefined ? fields.fail(name, "no time") : { ...time, text };
}
