/**
 * The bytes of the journal of files.
 *
 * File   = records. Record = u32 length of all that follows the CRC ‖ u32 CRC-32 of it ‖ u32 path length ‖ path ‖ entries.
 * Entry  = 88 bytes stat record ‖ f64 start (0, or that of a range) ‖ f64 bytes ‖ u32 ids ‖ u16 name length ‖ u16 flags ‖ name ‖ ids.
 * A record that is cut or damaged ends the file; a run that goes on with the file begins there.
 */
import { statRecordBytes } from "../../../platform/ports/stat-record.ts";

export const recordHeadBytes = 8;
export const pathFixedBytes = 4;
export const entryFixedBytes = statRecordBytes + 24;
export const recordBytesMax = 64 * 1024 * 1024;
const idCountAt = statRecordBytes + 16;
const nameLengthAt = statRecordBytes + 20;
export const journalFlags = { attributes: 1, range: 2 } as const;

/** A file, or a range of one, whose content is in the repository or on its way there. */
export interface JournalEntry {
  readonly name: Uint8Array;
  readonly record: Uint8Array;
  readonly recordOffset: number;
  /** Where the range begins. */
  readonly start: number;
  /** Bytes of content. */
  readonly size: number;
  readonly flags: number;
  readonly ids: Uint8Array;
  readonly idsStart: number;
  readonly idCount: number;
}

/** Writes an entry at `start`, where room must be; returns the place behind it. */
export function writeEntry(buffer: Buffer, start: number, entry: JournalEntry): number {
  let at = start;
  buffer.set(entry.record.subarray(entry.recordOffset, entry.recordOffset + statRecordBytes), at);
  at += statRecordBytes;
  at = buffer.writeDoubleLE(entry.start, at);
  at = buffer.writeDoubleLE(entry.size, at);
  at = buffer.writeUInt32LE(entry.idCount, at);
  at = buffer.writeUInt16LE(entry.name.length, at);
  at = buffer.writeUInt16LE(entry.flags, at);
  buffer.set(entry.name, at);
  at += entry.name.length;
  buffer.set(entry.ids.subarray(entry.idsStart, entry.idsStart + entry.idCount * 32), at);
  return at + entry.idCount * 32;
}

/** Place of the first entry in a record without its head. */
export function entriesStart(body: Buffer): number {
  return pathFixedBytes + body.readUInt32LE(0);
}

/** Where the name of the entry at `start` ends; it begins at `start + entryFixedBytes`. */
export function nameEnd(body: Buffer, start: number): number {
  return start + entryFixedBytes + body.readUInt16LE(start + nameLengthAt);
}

/** The place behind the entry at `start`. */
export function entryEnd(body: Buffer, start: number): number {
  return nameEnd(body, start) + body.readUInt32LE(start + idCountAt) * 32;
}

/** The entry at `start`, as a view of the record. */
export function readEntry(body: Buffer, start: number): JournalEntry {
  const fixed = start + statRecordBytes;
  const idsStart = nameEnd(body, start);
  return {
    name: body.subarray(start + entryFixedBytes, idsStart),
    record: body,
    recordOffset: start,
    start: body.readDoubleLE(fixed),
    size: body.readDoubleLE(fixed + 8),
    flags: body.readUInt16LE(fixed + 22),
    ids: body,
    idsStart,
    idCount: body.readUInt32LE(start + idCountAt),
  };
}
