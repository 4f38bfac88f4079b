/**
 * The catalog: what the previous run saw and where its content went, as a flat file of directory blocks,
 * so that a scan compares against it without touching the repository. Local and disposable.
 *
 * File   = magic ‖ blocks ‖ footer. Blocks stand in the order in which directories were finished, children
 *          before parents; the footer names the block of the top directory.
 * Block  = 32 bytes tree id ‖ u32 entries ‖ u32 CRC-32 of both ‖ pieces, until these hold all entries.
 * Piece  = u32 length of its entries ‖ u32 CRC-32 of them ‖ entries in name order. So a directory of a million
 *          entries is written and read with one piece in memory.
 * Entry  = 88 bytes stat record ‖ f64 offset of the child's block (directories, else 0) ‖ u32 ids ‖ u16 name
 *          length ‖ u16 flags ‖ name ‖ ids of 32 bytes (blobs of a file; the tree of a directory).
 * Footer = f64 offset of the top block ‖ 32 bytes snapshot id ‖ u32 CRC-32 of both ‖ magic.
 * Numbers are little endian.
 */
import { statRecordBytes } from "../../../platform/ports/stat-record.ts";

export const catalogMagic = new TextEncoder().encode("BKCATLG2");
export const blockHeadBytes = 40;
/** Offsets in the head of a block. */
export const blockAt = { entries: 32, crc: 36 } as const;
export const pieceHeadBytes = 8;
/** A piece ends before it gets longer, unless one entry alone is. */
export const pieceBytesMax = 512 * 1024;
export const footerBytes = 8 + 32 + 4 + 8;
/** Offsets in the footer. */
export const footerAt = { snapshotId: 8, crc: 40, magic: 44 } as const;
export const entryFixedBytes = statRecordBytes + 16;
/** Offsets in an entry. */
export const entryAt = {
  child: statRecordBytes,
  ids: statRecordBytes + 8,
  nameLength: statRecordBytes + 12,
  flags: statRecordBytes + 14,
} as const;
/** Entry flags. */
export const entryFlags = { attributes: 1 } as const;
