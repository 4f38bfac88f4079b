/** Which blobs a store holds, by the headers of its packs, whatever its index says. */
import { readPackHeader } from "../../agent/repository/pack/pack-reader.ts";
import type { Repository } from "../../agent/repository/repository.ts";

const never = new AbortController().signal;

export interface StoredBlobs {
  /** `tree` or `data` and the id in hex, with how often it is stored. */
  readonly counts: ReadonlyMap<string, number>;
  /** Bytes of all packs. */
  readonly packBytes: number;
}

export async function storedBlobs({ store, sealer }: Repository): Promise<StoredBlobs> {
  const counts = new Map<string, number>();
  let packBytes = 0;
  for await (const { name, size } of store.list("data", never)) {
    packBytes += size;
    for (const blob of (await readPackHeader(store, sealer, name, size, never)).blobs) {
      const key = blobKey(blob.id, 0, blob.isTree);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return { counts, packBytes };
}

/** The key of a blob in `counts`. */
export function blobKey(ids: Uint8Array, at: number, isTree: boolean): string {
  return `${isTree ? "tree" : "data"} ${Buffer.from(ids.subarray(at, at + 32)).toString("hex")}`;
}
