/**
 * Looking at one file of a repository. Links are followed, but what is no regular file in the end (a folder, a
 * fifo, a device) counts as absent: reading it could wait for ever.
 */
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { FileCalls } from "../../platform/node/file-calls.ts";
import { systemErrorName } from "./local-errors.ts";

/** A regular file open for reading. */
export interface OpenFile {
  readonly file: FileHandle;
  /** Bytes, when it was opened. */
  readonly size: number;
}

const compareBytes = 1024 * 1024;
/** Bytes a call at most, so that an abort is noticed soon. */
const readBytesMax = 8 * 1024 * 1024;
/** A fifo in place of a file must not hold the open call. Windows has no such flag, nor fifos among files. */
const readFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** The file, which the caller closes, or undefined if there is no regular file at `path`. */
export async function openRegular(calls: FileCalls, path: string): Promise<OpenFile | undefined> {
  let file: FileHandle;
  try {
    file = await calls.open(path, readFlags);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
  try {
    const stat = await file.stat();
    if (stat.isFile()) return { file, size: stat.size };
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

/** Size in bytes, or undefined if there is no regular file at `path`. */
export async function regularSize(calls: FileCalls, path: string): Promise<number | undefined> {
  try {
    const stat = await calls.stat(path);
    return stat.isFile() ? stat.size : undefined;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** Fills `data` from `position` of the file on; returns the bytes read, fewer only if the file ends before. */
export async function readWhole(
  file: FileHandle,
  data: Uint8Array,
  position: number,
  signal: AbortSignal,
): Promise<number> {
  let filled = 0;
  while (filled < data.length) {
    signal.throwIfAborted();
    const length = Math.min(data.length - filled, readBytesMax);
    const { bytesRead } = await file.read(data, filled, length, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** True if the file begins with `data`, compared in bounded memory. */
export async function isContent(
  file: FileHandle,
  data: Uint8Array,
  signal: AbortSignal,
): Promise<boolean> {
  const part = new Uint8Array(Math.min(compareBytes, data.length));
  for (let at = 0; at < data.length; at += part.length) {
    const found = part.subarray(0, Math.min(part.length, data.length - at));
    const read = await readWhole(file, found, at, signal);
    if (read < found.length) return false;
    if (Buffer.compare(found, data.subarray(at, at + found.length)) !== 0) return false;
  }
  return true;
}

/** ELOOP is a link to itself, ENXIO a socket. */
function isAbsence(error: unknown): boolean {
  const name = systemErrorName(error);
  return name === "ENOENT" || name === "ENOTDIR" || name === "ELOOP" || name === "ENXIO";
}
