/** Index files: which pack holds which blobs. JSON as restic writes it, without `supersedes`. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { idFromHex, isHexId } from "../id.ts";
import type { PackedBlob } from "../pack/pack-header.ts";
import { ByteWriter } from "../tree/byte-writer.ts";

/** A pack and its plain header. */
export interface IndexedPack {
  readonly id: Uint8Array;
  readonly header: Uint8Array;
}

/** The JSON of an index file over `packs`. */
export function encodeIndex(packs: Iterable<IndexedPack>): Uint8Array {
  const out = new ByteWriter(256 * 1024);
  out.ascii('{"packs":[');
  let first = true;
  for (const pack of packs) {
    out.ascii(first ? '{"id":"' : ',{"id":"');
    out.hex(pack.id, 0, 32);
    out.ascii('","blobs":[');
    encodeBlobs(out, pack.header);
    out.ascii("]}");
    first = false;
  }
  out.ascii("]}\n");
  return out.copy();
}

function encodeBlobs(out: ByteWriter, header: Uint8Array): void {
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  let offset = 0;
  for (let at = 0; at < header.length; ) {
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

/** Decodes an index file; REPOSITORY_DAMAGED naming the file if anything in it can't be true. */
export function* decodeIndex(json: Uint8Array, file: string): Generator<ListedPack> {
  let parsed: { packs?: unknown };
  try {
    parsed = JSON.parse(
      Buffer.from(json.buffer, json.byteOffset, json.length).toString("utf8"),
    ) as {
      packs?: unknown;
    };
  } catch {
    throw damaged(file, "it is no JSON");
  }
  const packs = parsed?.packs;
  if (packs === null || packs === undefined) return;
  if (!Array.isArray(packs)) throw damaged(file, "it has no list of packs");
  for (const pack of packs as { id?: unknown; blobs?: unknown }[]) {
    if (typeof pack?.id !== "string" || !isHexId(pack.id))
      throw damaged(file, "a pack has no valid id");
    if (!Array.isArray(pack.blobs)) throw damaged(file, `pack ${pack.id} has no list of blobs`);
    const id = pack.id;
    yield { id, blobs: (pack.blobs as unknown[]).map((blob) => decodeBlob(blob, id, file)) };
  }
}

function decodeBlob(value: unknown, pack: string, file: string): PackedBlob {
  const blob = value as Record<string, unknown> | null;
  const id = blob?.["id"];
  const type = blob?.["type"];
  const offset = blob?.["offset"];
  const length = blob?.["length"];
  const plainLength = blob?.["uncompressed_length"] ?? 0;
  if (typeof id !== "string" || !isHexId(id))
    throw damaged(file, `a blob of pack ${pack} has no id`);
  if (type !== "data" && type !== "tree") throw damaged(file, `blob ${id} has an unknown type`);
  if (!isU32(offset) || !isU32(length) || !isU32(plainLength) || length < 32)
    throw damaged(file, `blob ${id} has an impossible position or length`);
  if (offset + length > 0xffffffff)
    throw damaged(file, `blob ${id} lies beyond the end of any pack`);
  return { id: idFromHex(id), isTree: type === "tree", offset, length, plainLength };
}

function isU32(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffffffff;
}

function damaged(file: string, problem: string): BackstayError {
  return new BackstayError("REPOSITORY_DAMAGED", { file, problem });
}
