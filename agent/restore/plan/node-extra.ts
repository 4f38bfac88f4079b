/** The rarer facts of a node, packed into one record: access time, link target, device number, attributes. */
import type { Node, NodeAttribute } from "../../repository/tree/node.ts";

const has = { accessTime: 1, linkTarget: 2, device: 4, attributes: 8 } as const;
const headerBytes = 8;

export interface NodeExtra {
  /** Undefined: as the modification time. */
  readonly accessSeconds: number | undefined;
  readonly accessNanoseconds: number;
  readonly linkTarget: Uint8Array;
  readonly device: bigint;
  readonly attributes: readonly NodeAttribute[];
}

/** What a node without a record has. */
export const noExtra: NodeExtra = {
  accessSeconds: undefined,
  accessNanoseconds: 0,
  linkTarget: new Uint8Array(0),
  device: 0n,
  attributes: [],
};

/** The record, whose first u32 is its length; undefined if the node has nothing of the kind. */
export function encodeExtra(node: Node): Uint8Array | undefined {
  const { atime, mtime, attributes, linkTarget, device } = node;
  let flags = 0;
  let size = headerBytes;
  if (atime.seconds !== mtime.seconds || atime.nanoseconds !== mtime.nanoseconds) {
    flags |= has.accessTime;
    size += 12;
  }
  if (linkTarget.length > 0) {
    flags |= has.linkTarget;
    size += 4 + linkTarget.length;
  }
  if (device !== 0n) {
    flags |= has.device;
    size += 8;
  }
  if (attributes.length > 0) {
    flags |= has.attributes;
    size += 4;
    for (const { name, value } of attributes) size += 8 + name.length + value.length;
  }
  if (flags === 0) return undefined;
  const record = new Uint8Array(size);
  const writer = new RecordWriter(record);
  writer.u32(size);
  writer.u32(flags);
  if (flags & has.accessTime) {
    writer.f64(atime.seconds);
    writer.u32(atime.nanoseconds);
  }
  if (flags & has.linkTarget) writer.bytes(linkTarget);
  if (flags & has.device) writer.u64(device);
  if (flags & has.attributes) {
    writer.u32(attributes.length);
    for (const { name, value } of attributes) {
      writer.bytes(name);
      writer.bytes(value);
    }
  }
  return record;
}

/** Length of a record, from its first four bytes. */
export function extraBytes(start: Uint8Array): number {
  return new DataView(start.buffer, start.byteOffset).getUint32(0, true);
}

/** Reads a record; its byte strings are copies. */
export function decodeExtra(record: Uint8Array): NodeExtra {
  const reader = new RecordReader(record);
  reader.u32();
  const flags = reader.u32();
  const accessSeconds = flags & has.accessTime ? reader.f64() : undefined;
  const accessNanoseconds = flags & has.accessTime ? reader.u32() : 0;
  const linkTarget = flags & has.linkTarget ? reader.bytes() : noExtra.linkTarget;
  const device = flags & has.device ? reader.u64() : 0n;
  const attributes: NodeAttribute[] = [];
  const count = flags & has.attributes ? reader.u32() : 0;
  for (let i = 0; i < count; i += 1)
    attributes.push({ name: reader.bytes(), value: reader.bytes() });
  return { accessSeconds, accessNanoseconds, linkTarget, device, attributes };
}

class RecordWriter {
  readonly #record: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(record: Uint8Array) {
    this.#record = record;
    this.#view = new DataView(record.buffer);
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  f64(value: number): void {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  u64(value: bigint): void {
    this.#view.setBigUint64(this.#at, value, true);
    this.#at += 8;
  }

  bytes(value: Uint8Array): void {
    this.u32(value.length);
    this.#record.set(value, this.#at);
    this.#at += value.length;
  }
}

class RecordReader {
  readonly #record: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(record: Uint8Array) {
    this.#record = record;
    this.#view = new DataView(record.buffer, record.byteOffset, record.length);
  }

  u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  f64(): number {
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }

  u64(): bigint {
    this.#at += 8;
    return this.#view.getBigUint64(this.#at - 8, true);
  }

  bytes(): Uint8Array {
    const length = this.u32();
    this.#at += length;
    // Into memory that is not shared: system calls get its address.
    return Uint8Array.from(this.#record.subarray(this.#at - length, this.#at));
  }
}
