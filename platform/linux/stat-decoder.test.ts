import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { modeType, statAt, statFlags, statRecordBytes } from "../ports/stat-record.ts";
import { decodeStatx, statxBytes } from "./stat-decoder.ts";

/** The kernel's struct, written field by field at its documented offsets. */
function statxAnswer(fields: { mode: number; major: number; minor: number; attributes: number }) {
  const answer = new DataView(new ArrayBuffer(statxBytes));
  answer.setUint32(0, 0x17df, true);
  answer.setBigUint64(8, BigInt(fields.attributes), true);
  answer.setUint32(16, 0xffffffff, true);
  answer.setUint32(20, 0xfffffffe, true);
  answer.setUint32(24, 0xfffffffd, true);
  answer.setUint16(28, fields.mode, true);
  answer.setBigUint64(32, 0xfedcba9876543210n, true);
  answer.setBigUint64(40, 0x7fffffffffffffffn, true);
  answer.setBigUint64(48, 0x123456789abcn, true);
  answer.setBigInt64(96, -2n, true);
  answer.setUint32(104, 999_999_999, true);
  answer.setBigInt64(112, -1n, true);
  answer.setUint32(120, 1, true);
  for (const offset of [128, 136]) {
    answer.setUint32(offset, fields.major, true);
    answer.setUint32(offset + 4, fields.minor, true);
  }
  return new Uint32Array(answer.buffer);
}

function decode(fields: Parameters<typeof statxAnswer>[0]): DataView {
  const record = new Uint8Array(statRecordBytes + 3).fill(0xee);
  decodeStatx(statxAnswer(fields), record, 3);
  return new DataView(record.buffer, 3);
}

const plainFile = { mode: modeType.file | 0o6755, major: 8, minor: 1, attributes: 0 };

describe("decodeStatx", () => {
  it("takes over every field whole, the largest and the negative included", () => {
    const record = decode(plainFile);
    expect(record.getUint32(statAt.mode, true)).toBe(0o106755);
    expect(record.getUint32(statAt.links, true)).toBe(0xffffffff);
    expect(record.getUint32(statAt.uid, true)).toBe(0xfffffffe);
    expect(record.getUint32(statAt.gid, true)).toBe(0xfffffffd);
    expect(record.getBigUint64(statAt.inode, true)).toBe(0xfedcba9876543210n);
    expect(record.getBigUint64(statAt.size, true)).toBe(0x7fffffffffffffffn);
    expect(record.getBigUint64(statAt.blocks, true)).toBe(0x123456789abcn);
    expect(record.getBigInt64(statAt.ctime, true)).toBe(-2n);
    expect(record.getUint32(statAt.ctimeNs, true)).toBe(999_999_999);
    expect(record.getBigInt64(statAt.mtime, true)).toBe(-1n);
    expect(record.getUint32(statAt.mtimeNs, true)).toBe(1);
    expect(record.getBigUint64(statAt.device, true)).toBe(0x801n);
    expect(record.getBigUint64(statAt.rdev, true)).toBe(0n);
    expect(record.getBigUint64(statAt.flags, true)).toBe(0n);
  });

  it.each([
    ["folders", modeType.directory, 0n, false],
    ["fifos", modeType.fifo, 0n, false],
    ["sockets", modeType.socket, 0n, false],
    ["symlinks", modeType.symlink, 0x7fffffffffffffffn, false],
    ["block devices", modeType.blockDevice, 0n, true],
    ["character devices", modeType.charDevice, 0n, true],
  ])("gives %s the size and device number that they have", (_, type, size, isDevice) => {
    const record = decode({ ...plainFile, mode: type | 0o644 });
    expect(record.getBigUint64(statAt.size, true)).toBe(size);
    expect(record.getBigUint64(statAt.rdev, true)).toBe(isDevice ? 0x801n : 0n);
  });

  it("encodes device numbers as the C library does", () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(word, word, (major, minor) => {
        const expected =
          (BigInt(major & 0xfff) << 8n) |
          (BigInt((major & ~0xfff) >>> 0) << 32n) |
          BigInt(minor & 0xff) |
          (BigInt((minor & ~0xff) >>> 0) << 12n);
        const record = decode({ ...plainFile, mode: modeType.charDevice, major, minor });
        expect(record.getBigUint64(statAt.device, true)).toBe(expected);
        expect(record.getBigUint64(statAt.rdev, true)).toBe(expected);
      }),
    );
  });

  it("takes over the inode flags that matter, and no others", () => {
    const everyAttribute = decode({ ...plainFile, attributes: 0xffffffff });
    const everyFlag = Object.values(statFlags).reduce((all, flag) => all | flag, 0);
    expect(everyAttribute.getUint32(statAt.flags, true)).toBe(everyFlag);
    const onlyOthers = decode({ ...plainFile, attributes: ~0x100874 >>> 0 });
    expect(onlyOthers.getUint32(statAt.flags, true)).toBe(0);
  });
});
