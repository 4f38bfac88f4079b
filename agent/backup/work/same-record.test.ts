import { describe, expect, it } from "vitest";
import { modeType, statAt, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import { hasJustChanged, isSameContent, isSameNode } from "./same-record.ts";

function recordOf(type: number, ctimeMs = 1_000): Uint8Array {
  const record = new Uint8Array(statRecordBytes).fill(1);
  const view = new DataView(record.buffer);
  view.setUint32(statAt.mode, type | 0o644, true);
  view.setBigInt64(statAt.ctime, BigInt(Math.floor(ctimeMs / 1000)), true);
  view.setUint32(
    statAt.ctimeNs,
    Math.floor((ctimeMs - Math.floor(ctimeMs / 1000) * 1000) * 1e6),
    true,
  );
  return record;
}

/** Fields in whose bytes a difference is told, by trying each byte. */
function fieldsTold(
  type: number,
  isSame: (a: Uint8Array, at: number, b: Uint8Array, bt: number) => boolean,
): string[] {
  const fields = Object.entries(statAt).sort(([, a], [, b]) => a - b);
  const told = new Set<string>();
  for (let at = 0; at < statRecordBytes; at += 1) {
    const [one, two] = [recordOf(type), recordOf(type)];
    two[at] ^= 0x40;
    const shifted = new Uint8Array(statRecordBytes + 5);
    shifted.set(two, 5);
    if (!isSame(one, 0, shifted, 5))
      told.add(fields.findLast(([, start]) => start <= at)?.[0] ?? "");
  }
  return [...told];
}

describe("a comparison of records", () => {
  it("takes content to be the same while type, size, inode and both times are", () => {
    expect(fieldsTold(modeType.file, isSameContent)).toEqual([
      "mode",
      "mtimeNs",
      "ctimeNs",
      "inode",
      "size",
      "mtime",
      "ctime",
    ]);
    const [file, other] = [recordOf(modeType.file), recordOf(modeType.file)];
    new DataView(other.buffer).setUint32(statAt.mode, modeType.file | 0o4755, true);
    expect(isSameContent(file, 0, other, 0)).toBe(true);
    expect(isSameContent(file, 0, recordOf(modeType.fifo), 0)).toBe(false);
  });

  it("takes a node to be the same while all is that it stores", () => {
    const all = ["mode", "uid", "gid", "mtimeNs", "ctimeNs", "links", "inode", "size"];
    const rest = ["mtime", "ctime", "rdev"];
    expect(fieldsTold(modeType.file, isSameNode)).toEqual([...all, ...rest]);
    const ofDirectory = all.filter((field) => field !== "links");
    expect(fieldsTold(modeType.directory, isSameNode)).toEqual([...ofDirectory, ...rest]);
  });

  it("knows what changed so shortly before that a later change may not show", () => {
    const now = Date.now();
    expect(hasJustChanged(recordOf(modeType.file, now))).toBe(true);
    expect(hasJustChanged(recordOf(modeType.file, now - 1000.5))).toBe(false);
    expect(hasJustChanged(recordOf(modeType.file, now + 3_600_000.5))).toBe(false);
    expect(hasJustChanged(recordOf(modeType.file, -5000))).toBe(false);
    // A file system of whole seconds.
    expect(hasJustChanged(recordOf(modeType.file, Math.floor(now / 1000) * 1000))).toBe(true);
    expect(hasJustChanged(recordOf(modeType.file, Math.floor(now / 1000) * 1000 - 3000))).toBe(
      false,
    );
  });
});
