/**
 * The merged index as one file of the local cache, so that a start need not decode every index file:
 * magic, counts, ids of the index files it covers, pack ids, entries of 48 bytes, SHA-256 of all before.
 * Numbers are u32 little endian. Disposable: whatever looks wrong counts as absent.
 */
import { createHash } from "node:crypto";
import { idFromHex, idToHex } from "../id.ts";
import { BlobTable } from "./blob-table.ts";

const magic = Buffer.from("BKTABLE1");
const fixedBytes = magic.length + 12;
const entryBytes = 48;
const packMask = 0x7fffffff;

export interface CachedTable {
  readonly table: BlobTable;
  /** Hex ids of the index files whose blobs are in it. */
  readonly indexFiles: ReadonlySet<string>;
}

/** The bytes of a table file. Blobs that are not stored yet are left out. */
export function encodeTable(table: BlobTable, indexFiles: readonly string[]): Uint8Array {
  const packs = table.packCount;
  const head = fixedBytes + indexFiles.length * 32 + packs * 32;
  const bytes = Buffer.allocUnsafe(head + table.count * entryBytes + 32);
  magic.copy(bytes);
  for (const [i, name] of indexFiles.entries()) bytes.set(idFromHex(name), fixedBytes + i * 32);
  const packsAt = fixedBytes + indexFiles.length * 32;
  for (let i = 0; i < packs; i += 1) bytes.set(idFromHex(table.packId(i)), packsAt + i * 32);
  const at = table.copyStored(bytes, head);
  bytes.writeUInt32LE(indexFiles.length, magic.length);
  bytes.writeUInt32LE(packs, magic.length + 4);
  bytes.writeUInt32LE((at - head) / entryBytes, magic.length + 8);
  createHash("sha256").update(bytes.subarray(0, at)).digest().copy(bytes, at);
  return bytes.subarray(0, at + 32);
}

/** The table in a file, or undefined if the bytes are no intact table file. */
export function decodeTable(file: Uint8Array): CachedTable | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  if (bytes.length < fixedBytes + 32 || !bytes.subarray(0, magic.length).equals(magic))
    return undefined;
  const [indexes, packs, entries] = [0, 4, 8].map((at) => bytes.readUInt32LE(magic.length + at));
  const head = fixedBytes + (indexes + packs) * 32;
  const end = head + entries * entryBytes;
  if (bytes.length !== end + 32) return undefined;
  const digest = createHash("sha256").update(bytes.subarray(0, end)).digest();
  if (!digest.equals(bytes.subarray(end))) return undefined;
  const indexFiles = new Set<string>();
  for (let i = 0; i < indexes; i += 1) indexFiles.add(idToHex(bytes, fixedBytes + i * 32));
  const table = BlobTable.create(entries * 1.1);
  for (let i = 0; i < packs; i += 1) {
    const at = fixedBytes + (indexes + i) * 32;
    table.addPack(bytes.subarray(at, at + 32));
  }
  for (let at = head; at < end; at += entryBytes) {
    const word = bytes.readUInt32LE(at + 32);
    const pack = word & packMask;
    if (pack >= packs) return undefined;
    table.add(bytes, at, word >= 0x80000000, {
      pack,
      offset: bytes.readUInt32LE(at + 36),
      length: bytes.readUInt32LE(at + 40),
      plainLength: bytes.readUInt32LE(at + 44),
    });
  }
  return { table, indexFiles };
}
