/** Index files: which pack holds which blobs. JSON as restic writes it, without `supersedes`. */
import type { TakeBytes } from "../../../platform/ports/codec.ts";
import { idToHex } from "../id.ts";
import type { PackedBlob } from "../pack/pack-header.ts";
import { ByteWriter } from "../tree/byte-writer.ts";
import { IndexScanner } from "./index-scanner.ts";

/** A pack and its plain header. */
export interface IndexedPack {
  readonly id: Uint8Array;
  readonly header: Uint8Array;
}

/** JSON is handed over in pieces of about this size. */
const pieceBytes = 256 * 1024;

/** The JSON of an index file over `packs`, piece by piece. */
export function encodeIndex(packs: Iterable<IndexedPack>, take: TakeBytes): void {
  const out = new ByteWriter(2 * pieceBytes);
  const drain = (): void => {
    take(out.bytes, 0, out.length);
    out.length = 0;
  };
  out.ascii('{"packs":[');
  let first = true;
  for (const pack of packs) {
    out.ascii(first ? '{"id":"' : ',{"id":"');
    out.hex(pack.id, 0, 32);
    out.ascii('","blobs":[');
    encodeBlobs(out, pack.header, drain);
    out.ascii("]}");
    first = false;
  }
  out.ascii("]}\n");
  drain();
}

function encodeBlobs(out: ByteWriter, header: Uint8Array, drain: () => void): void {
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  let offset = 0;
  for (let at = 0; at < header.length; ) {
    if (out.length >= pieceBytes) drain();
    const type = header[at];
    const length = view.getUint32(at + 1, true);
    const idAt = at + (type >= 2 ? 9 : 5);
    out.ascii(at === 0 ? '{"id":"' : ',{"id":"');
    out.hex(header, idAt, 32);
    out.ascii((type & 1) === 1 ? '","type":"tree","offset":' : '","type":"data","offset":');
    out.decimal(offset);
    out.ascii(',"length":');
    out.decimal(length);
    if (type >= 2) {
      out.ascii(',"uncompressed_length":');
      out.decimal(view.getUint32(at + 5, true));
    }
    out.byte(0x7d);
    offset += length;
    at = idAt + 32;
  }
}

/** A pack as an index file lists it. */
export interface ListedPack {
  /** Hex. */
  readonly id: string;
  readonly blobs: readonly PackedBlob[];
}

/** The packs of an index file; REPOSITORY_DAMAGED naming the file where something in it can't be true. */
export function* decodeIndex(json: Uint8Array, file: string): Generator<ListedPack> {
  const scanner = new IndexScanner(json, file);
  while (scanner.nextPack()) {
    const { count, ids, types, offsets, lengths, plainLengths } = scanner;
    const blobs = Array.from({ length: count }, (_, i) => ({
      id: ids.slice(i * 32, i * 32 + 32),
      isTree: types[i] === 1,
      offset: offsets[i],
      length: lengths[i],
      plainLength: plainLengths[i],
    }));
    yield { id: idToHex(scanner.packId), blobs };
  }
}
