/** The JSON of an index file in one piece. */
import { encodeIndex, type IndexedPack } from "../../agent/repository/index/index-file.ts";

export function indexJson(packs: Iterable<IndexedPack>): Uint8Array {
  const pieces: Buffer[] = [];
  encodeIndex(packs, (bytes, offset, length) =>
    pieces.push(Buffer.copyBytesFrom(bytes, offset, length)),
  );
  return new Uint8Array(Buffer.concat(pieces));
}
