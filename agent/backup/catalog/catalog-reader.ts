/** Reads a catalog file, a directory block at a time. Whatever looks wrong counts as absent. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import {
  blockFixedBytes,
  blockHeadBytes,
  catalogMagic,
  entryAt,
  entryFixedBytes,
  footerAt,
  footerBytes,
} from "./catalog-format.ts";

/** A cursor over the entries of one directory, in name order. `bytes[at …]` is the current entry. */
export class CatalogBlock {
  readonly bytes: Buffer;
  readonly count: number;
  at = blockFixedBytes;
  index = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.count = bytes.readUInt32LE(32);
  }

  /** Offset of the directory's tree id in `bytes`. */
  readonly treeIdAt = 0;

  get isAtEnd(): boolean {
    return this.index >= this.count;
  }

  get nameStart(): number {
    return this.at + entryFixedBytes;
  }

  get nameEnd(): number {
    return this.nameStart + this.bytes.readUInt16LE(this.at + entryAt.nameLength);
  }

  get idsStart(): number {
    return this.nameEnd;
  }

  get idCount(): number {
    return this.bytes.readUInt32LE(this.at + entryAt.ids);
  }

  get flags(): number {
    return this.bytes.readUInt16LE(this.at + entryAt.flags);
  }

  /** Offset of the child's block, 0 if it has none. */
  get child(): number {
    return this.bytes.readDoubleLE(this.at + entryAt.child);
  }

  /** Goes to the next entry. */
  next(): void {
    this.at = this.idsStart + this.idCount * 32;
    this.index += 1;
  }
}

export class CatalogReader {
  readonly #descriptor: number;
  readonly #end: number;
  readonly topBlock: number;
  /** Id of the snapshot that this catalog describes, 32 bytes. */
  readonly snapshotId: Uint8Array;

  private constructor(descriptor: number, end: number, footer: Buffer) {
    this.#descriptor = descriptor;
    this.#end = end;
    this.topBlock = footer.readDoubleLE(0);
    this.snapshotId = Uint8Array.from(footer.subarray(footerAt.snapshotId, footerAt.crc));
  }

  /** The catalog at `filePath`, or undefined if there is no intact one. */
  static open(filePath: string): CatalogReader | undefined {
    let descriptor: number;
    try {
      descriptor = openSync(filePath, "r");
    } catch {
      // Absent or unreadable: the run then compares with the parent snapshot, or reads everything.
      return undefined;
    }
    const { size } = fstatSync(descriptor);
    const footer = Buffer.alloc(footerBytes);
    const isWhole =
      size >= catalogMagic.length + footerBytes &&
      readSync(descriptor, footer, 0, footerBytes, size - footerBytes) === footerBytes &&
      footer.subarray(footerAt.magic).equals(catalogMagic) &&
      footer.readUInt32LE(footerAt.crc) === crc32(footer.subarray(0, footerAt.crc));
    if (isWhole) return new CatalogReader(descriptor, size - footerBytes, footer);
    closeSync(descriptor);
    return undefined;
  }

  /** The block at `offset`, or undefined if it is damaged. */
  block(offset: number): CatalogBlock | undefined {
    const head = Buffer.alloc(blockHeadBytes);
    if (!(offset >= catalogMagic.length) || offset + blockHeadBytes > this.#end) return undefined;
    readSync(this.#descriptor, head, 0, blockHeadBytes, offset);
    const length = head.readUInt32LE(0);
    if (length < blockFixedBytes || offset + blockHeadBytes + length > this.#end) return undefined;
    const bytes = Buffer.allocUnsafe(length);
    const read = readSync(this.#descriptor, bytes, 0, length, offset + blockHeadBytes);
    if (read !== length || crc32(bytes) !== head.readUInt32LE(4)) return undefined;
    return new CatalogBlock(bytes);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
