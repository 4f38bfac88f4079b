/** Handles as repositories make them: named after their content. */
import { createHash } from "node:crypto";
import type { FileType, Handle } from "../../storage/object-store.ts";

/** `type` has names that are hashes; see storage/handle-name.ts. */
export function handleOf(type: FileType, data: Uint8Array): Handle {
  return { type, name: createHash("sha256").update(data).digest("hex") };
}
