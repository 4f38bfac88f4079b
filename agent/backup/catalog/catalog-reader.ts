/** Reads a catalog file, a directory block at a time. Whatever looks wrong counts as absent. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import {
  blockAt,
  blockHeadBytes,
  catalogMagic,
  entryAt,
  entryFixedBytes,
  footerAt,
  footerBytes,
  pieceHeadBytes,
} from "./catalog-format.ts";

const nothing = Buffer.alloc(0);

/** The file of a block. */
interface CatalogBytes {
  /** True if `[offset, offset + length)` lies within the blocks. */
  holds(offset: number, length: number): boolean;
  /** Reads into the first bytes of `target`; false if they can't be read whole. */
  read(target: Buffer, offset: number, length: number): boolean;
}

/**
 * A cursor over the entries of one directory, in name order: `bytes[at …]` is the current entry until `next`. Where the
 * block turns out to be damaged there is no entry, and it is not at its end either.
 */
export class CatalogBlock {
  bytes = nothing;
  readonly treeId: Uint8Array;
  readonly count: number;
  at = 0;
  index = 0;
  readonly #file: CatalogBytes;
  /** Place in the file of the piece after the current one. */
  #nextPiece: number;
  /** End of the current piece in `bytes`. */
  #end = 0;

  /** `pieceHead` is that of the first piece, which stands at `piece` in the file. */
  constructor(head: Buffer, pieceHead: Buffer, piece: number, file: CatalogBytes) {
    this.treeId = Uint8Array.from(head.subarray(0, blockAt.entries));
    this.count = head.readUInt32LE(blockAt.entries);
    this.#file = file;
    this.#nextPiece = piece;
    if (this.count > 0) this.#loadPiece(pieceHead);
  }

  /** True behind the last entry. */
  get isAtEnd(): boolean {
    return this.index >= this.count;
  }

  /** True if there is a current entry. */
  get hasEntry(): boolean {
    return this.at < this.#end;
  }

  /** Gives the memory back; only `treeId` and `isAtEnd` may be asked from then on. */
  release(): void {
    this.bytes = nothing;
    this.#end = 0;
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
    if (this.at < this.#end || this.isAtEnd) return;
    const head = Buffer.alloc(pieceHeadBytes);
    const isThere = this.#file.holds(this.#nextPiece, pieceHeadBytes);
    if (isThere && this.#file.read(head, this.#nextPiece, pieceHeadBytes)) this.#loadPiece(head);
    else this.release();
  }

  #loadPiece(head: Buffer): void {
    const length = head.readUInt32LE(0);
    this.at = 0;
    this.#end = 0;
    const start = this.#nextPiece + pieceHeadBytes;
    // A length that damage made up is not allocated.
    if (!this.#file.holds(start, length)) return;
    if (this.bytes.length < length) this.bytes = Buffer.allocUnsafeSlow(length);
    if (!this.#file.read(this.bytes, start, length)) return;
    if (crc32(this.bytes.subarray(0, length)) !== head.readUInt32LE(4)) return;
    this.#end = length;
    this.#nextPiece = start + length;
  }
}

export class CatalogReader implements CatalogBytes {
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

  /** The block at `offset`, or undefined if its beginning is damaged. */
  block(offset: number): CatalogBlock | undefined {
    if (!(offset >= catalogMagic.length) || !this.holds(offset, blockHeadBytes)) return undefined;
    const bytes = Buffer.alloc(blockHeadBytes + pieceHeadBytes);
    // An empty directory has no piece.
    if (!this.read(bytes, offset, Math.min(bytes.length, this.#end - offset))) return undefined;
    const head = bytes.subarray(0, blockHeadBytes);
    if (crc32(head.subarray(0, blockAt.crc)) !== head.readUInt32LE(blockAt.crc)) return undefined;
    const pieceHead = bytes.subarray(blockHeadBytes);
    const block = new CatalogBlock(head, pieceHead, offset + blockHeadBytes, this);
    return block.hasEntry || block.isAtEnd ? block : undefined;
  }

  holds(offset: number, length: number): boolean {
    return offset + length <= this.#end;
  }

  read(target: Buffer, offset: number, length: number): boolean {
    return readSync(this.#descriptor, target, 0, length, offset) === length;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
