/** Folders for tests that make many small durable files: in memory where there is room, so that no disk is waited for. */
import { mkdtempSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const freeBytesMin = 1024 * 1024 * 1024;

/** A new folder, the caller's to remove; on a disk if memory is short or the system has no such place. */
export function newMemoryFolder(prefix: string): string {
  return mkdtempSync(path.join(memoryPlace() ?? tmpdir(), prefix));
}

function memoryPlace(): string | undefined {
  const place = "/dev/shm";
  try {
    const { bavail, bsize } = statfsSync(place);
    return bavail * bsize >= freeBytesMin ? place : undefined;
  } catch {
    return undefined;
  }
}
