import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { statAt, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import {
  arbitraryAttribute,
  arbitraryName,
  arbitraryTime,
} from "../../../test/repository/arbitrary-node.ts";
import { ByteWriter } from "./byte-writer.ts";
import { goFileMode, nodeTypeOf } from "./file-mode.ts";
import type { Node, NodeTime } from "./node.ts";
import { encodeNode, RecordNodeEncoder, type RecordNodeFields } from "./node-encoder.ts";

const names = {
  userName: (uid: number) => (uid === 0 ? "root" : uid === 1 ? 'ü"<\u2028' : ""),
  groupName: (gid: number) => (gid === 0 ? "wheel" : ""),
};
const noFields: RecordNodeFields = {
  nameBytes: new Uint8Array(0),
  nameStart: 0,
  nameEnd: 0,
  record: new Uint8Array(statRecordBytes),
  recordOffset: 0,
  size: 0,
  deviceId: 0,
  content: null,
  contentStart: 0,
  contentEnd: 0,
  subtree: null,
  subtreeOffset: 0,
};

interface Sample {
  readonly stMode: number;
  readonly mtime: NodeTime;
  readonly ctime: NodeTime;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly inode: bigint;
  readonly rdev: bigint;
}

function writeRecord(record: Uint8Array, at: number, sample: Sample): void {
  const view = new DataView(record.buffer, record.byteOffset);
  view.setUint32(at + statAt.mode, sample.stMode, true);
  view.setUint32(at + statAt.uid, sample.uid, true);
  view.setUint32(at + statAt.gid, sample.gid, true);
  view.setUint32(at + statAt.links, sample.links, true);
  view.setBigUint64(at + statAt.inode, sample.inode, true);
  view.setBigUint64(at + statAt.rdev, sample.rdev, true);
  view.setBigInt64(at + statAt.mtime, BigInt(sample.mtime.seconds), true);
  view.setBigInt64(at + statAt.ctime, BigInt(sample.ctime.seconds), true);
  view.setUint32(at + statAt.mtimeNs, sample.mtime.nanoseconds, true);
  view.setUint32(at + statAt.ctimeNs, sample.ctime.nanoseconds, true);
}

const types = [0o100000, 0o040000, 0o120000, 0o060000, 0o020000, 0o010000] as const;
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const sampleOf = fc.record({
  stMode: fc.tuple(fc.constantFrom(...types), fc.nat(0o7777)).map(([type, bits]) => type | bits),
  mtime: arbitraryTime,
  ctime: arbitraryTime,
  uid: fc.oneof(fc.nat(2), u32),
  gid: fc.oneof(fc.nat(2), u32),
  links: fc.oneof(fc.nat(2), u32),
  inode: fc.oneof(fc.constant(0n), u64),
  rdev: fc.oneof(fc.constant(0n), u64),
});
const idBytes = fc.uint8Array({ minLength: 160, maxLength: 160 });

describe("RecordNodeEncoder", () => {
  it("writes what encodeNode writes for the same entry", () => {
    const encoder = new RecordNodeEncoder(names);
    const out = new ByteWriter(1);
    const fields: RecordNodeFields = { ...noFields };
    fc.assert(
      fc.property(
        sampleOf,
        arbitraryName,
        fc.record({
          size: fc.oneof(fc.constant(0), fc.maxSafeNat()),
          deviceId: fc.oneof(fc.constant(0), u32),
          link: fc.uint8Array({ maxLength: 200 }),
          attributes: fc.array(arbitraryAttribute, { maxLength: 2 }),
          ids: idBytes,
          idCount: fc.nat(3),
        }),
        (sample, name, other) => {
          const type = nodeTypeOf(sample.stMode) ?? "socket";
          const isDevice = type === "dev" || type === "chardev";
          const isPipe = type === "fifo" || type === "socket";
          const hasLinks = type !== "dir" && (!isPipe || sample.links > 1);
          const contentEnd = 7 + other.idCount * 32;
          const node: Node = {
            name,
            type,
            mode: goFileMode(sample.stMode),
            mtime: sample.mtime,
            atime: sample.mtime,
            ctime: sample.ctime,
            uid: sample.uid,
            gid: sample.gid,
            user: names.userName(sample.uid),
            group: names.groupName(sample.gid),
            inode: sample.inode,
            deviceId: BigInt(other.deviceId),
            size: type === "file" ? other.size : 0,
            links: hasLinks ? BigInt(sample.links) : 0n,
            linkTarget: type === "symlink" ? other.link : new Uint8Array(0),
            attributes: other.attributes,
            device: isDevice ? sample.rdev : 0n,
            content: type === "file" ? other.ids.subarray(7, contentEnd) : null,
            subtree: type === "dir" ? other.ids.subarray(9, 41) : null,
          };
          fields.nameBytes = new Uint8Array(Buffer.concat([Buffer.from("xy"), name]));
          fields.nameStart = 2;
          fields.nameEnd = 2 + name.length;
          fields.record = new Uint8Array(statRecordBytes + 5);
          fields.recordOffset = 5;
          writeRecord(fields.record, 5, sample);
          fields.size = other.size;
          fields.deviceId = other.deviceId;
          fields.linkTarget = other.link;
          fields.attributes = other.attributes;
          fields.content = type === "file" ? other.ids : null;
          fields.contentStart = 7;
          fields.contentEnd = contentEnd;
          fields.subtree = type === "dir" ? other.ids : null;
          fields.subtreeOffset = 9;
          out.length = 0;
          encoder.encode(out, fields);
          const expected = new ByteWriter();
          encodeNode(expected, node);
          expect(Buffer.from(out.written()).toString("latin1")).toBe(
            Buffer.from(expected.written()).toString("latin1"),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  it("asks for each user and group once", () => {
    const asked: string[] = [];
    const encoder = new RecordNodeEncoder({
      userName: (uid) => `u${asked.push(`u${uid}`)}`,
      groupName: (gid) => `g${asked.push(`g${gid}`)}`,
    });
    const out = new ByteWriter();
    const time = { seconds: 0, nanoseconds: 0 };
    const record = new Uint8Array(statRecordBytes);
    for (const uid of [1, 2, 1, 2, 1]) {
      const owner = { uid, gid: 7, links: 0, inode: 0n, rdev: 0n };
      writeRecord(record, 0, { stMode: 0o010644, mtime: time, ctime: time, ...owner });
      encoder.encode(out, { ...noFields, record });
    }
    expect(asked).toEqual(["u1", "g7", "u2", "g7"]);
  });

  it("refuses entries that would lose data", () => {
    const encode = (stMode: number) => {
      const record = new Uint8Array(statRecordBytes);
      new DataView(record.buffer).setUint32(statAt.mode, stMode, true);
      new RecordNodeEncoder(names).encode(new ByteWriter(), { ...noFields, record });
    };
    expect(() => encode(0o100644)).toThrow(/file without content/);
    expect(() => encode(0o040755)).toThrow(/directory without subtree/);
    expect(() => encode(0)).toThrow(/no node type/);
  });

  it("moves its output when the buffer is full in the middle of a tree", () => {
    const encoder = new RecordNodeEncoder(names);
    const small = new ByteWriter(1);
    const large = new ByteWriter(1 << 20);
    const record = new Uint8Array(statRecordBytes);
    new DataView(record.buffer).setUint32(statAt.mode, 0o100644, true);
    for (let entry = 0; entry < 500; entry += 1) {
      const nameBytes = Buffer.from(`<entry ${entry}>`.repeat(1 + (entry % 17)));
      const ids = new Uint8Array(32 * (entry % 40)).fill(entry);
      const fields = { ...noFields, nameBytes, nameEnd: nameBytes.length, record };
      const content = { content: ids, contentEnd: ids.length };
      encoder.encode(small, { ...fields, ...content });
      encoder.encode(large, { ...fields, ...content });
    }
    expect(Buffer.compare(small.written(), large.written())).toBe(0);
  });
});
