/**
 * The merged index as one file of the local cache, so that a start need not decode every index file:
 * magic, counts, ids of the index files it covers, pack ids, entries of 48 bytes, SHA-256 of all before.
 * Numbers are u32 little endian. Disposable: whatever looks wrong counts as absent.
 */
import { createHash } from "node:crypto";
import { idFromHex, idToHex } from "../id.ts";
import { BlobTable } from "./blob-table.ts";

const magic = Buffer.from("BKTABLE2");
const fixedBytes = magic.length + 12;
const idBytes = 32;
const entryBytes = 48;
const digestBytes = 32;
const packMask = 0x7fffffff;
/** Read at once; a multiple of the length of an entry and of an id. */
const partBytes = 96 * 8192;

/** A table and the index files whose blobs are in it. */
export interface CachedTable {
  readonly table: BlobTable;
  /** Hex ids. */
  readonly indexFiles: ReadonlySet<string>;
}

/** A table file to be read in parts. */
export interface TableSource {
  readonly sizeBytes: number;
  /** Fills `bytes` from `position`; false if that can't be done. */
  read(bytes: Uint8Array, position: number): Promise<boolean>;
}

/**
 * The bytes of a table file, part by part; each is valid until the next is asked for. Blobs that are not stored
 * yet are left out.
 */
export function* encodeTable(
  table: BlobTable,
  indexFiles: readonly string[],
): Generator<Uint8Array> {
  const hash = createHash("sha256");
  const packs = table.packCount;
  const head = Buffer.alloc(fixedBytes + (indexFiles.length + packs) * idBytes);
  magic.copy(head);
  for (const [i, count] of [indexFiles.length, packs, table.storedCount].entries())
    head.writeUInt32LE(count, magic.length + i * 4);
  for (const [i, name] of indexFiles.entries()) head.set(idFromHex(name), fixedBytes + i * idBytes);
  const packsAt = fixedBytes + indexFiles.length * idBytes;
  for (let i = 0; i < packs; i += 1) table.copyPackId(i, head, packsAt + i * idBytes);
  hash.update(head);
  yield head;
  for (const shared of table.storedEntries()) {
    // A copy of its own: nobody may be hashing or writing memory that others share.
    const run = Uint8Array.from(shared);
    hash.update(run);
    yield run;
  }
  yield hash.digest();
}

/** The table in a file, or undefined if it is no intact table file. */
export async function decodeTable(source: TableSource): Promise<CachedTable | undefined> {
  const reader = new HashingReader(source);
  const fixed = await reader.next(fixedBytes);
  if (fixed?.subarray(0, magic.length).equals(magic) !== true) return undefined;
  const [indexes, packs, entries] = [0, 4, 8].map((at) => fixed.readUInt32LE(magic.length + at));
  const idsBytes = (indexes + packs) * idBytes;
  const size = fixedBytes + idsBytes + entries * entryBytes + digestBytes;
  if (source.sizeBytes !== size) return undefined;
  const indexFiles = new Set<string>();
  const table = BlobTable.create(entries * 1.1);
  let ids = 0;
  for await (const part of reader.parts(idsBytes)) {
    for (let at = 0; at < part.length; at += idBytes, ids += 1) {
      if (ids < indexes) indexFiles.add(idToHex(part, at));
      else table.addPack(part.subarray(at, at + idBytes));
    }
  }
  for await (const part of reader.parts(entries * entryBytes)) {
    for (let at = 0; at < part.length; at += entryBytes)
      if ((part.readUInt32LE(at + idBytes) & packMask) >= packs) return undefined;
    table.addEntries(part);
  }
  return (await reader.isDigestRight()) ? { table, indexFiles } : undefined;
}

/** Reads a file from its beginning and hashes what it reads. Gives nothing more once reading has failed. */
class HashingReader {
  readonly #source: TableSource;
  readonly #hash = createHash("sha256");
  #position = 0;
  #hasFailed = false;

  constructor(source: TableSource) {
    this.#source = source;
  }

  async next(length: number): Promise<Buffer | undefined> {
    const bytes = Buffer.allocUnsafe(length);
    if (this.#hasFailed || !(await this.#source.read(bytes, this.#position))) {
      this.#hasFailed = true;
      return undefined;
    }
    this.#position += length;
    this.#hash.update(bytes);
    return bytes;
  }

  async *parts(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0; left -= partBytes) {
      const part = await this.next(Math.min(left, partBytes));
      if (part === undefined) return;
      yield part;
    }
  }

  async isDigestRight(): Promise<boolean> {
    const expected = this.#hash.digest();
    const digest = Buffer.alloc(digestBytes);
    if (this.#hasFailed || !(await this.#source.read(digest, this.#position))) return false;
    return digest.equals(expected);
  }
}
