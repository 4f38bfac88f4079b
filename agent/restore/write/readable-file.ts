/** Opens a file of the target for reading, also one that its permissions hide from its own owner. */
import { FileError } from "../../../platform/ports/source-files.ts";
import type { TargetFiles, TargetHandle } from "../../../platform/ports/target-files.ts";
import type { StatView } from "./stat-view.ts";

const ownerMayRead = 0o400;

/**
 * Undefined if this user may not read it. The permissions of an own file are lifted for the moment of opening and are then
 * as before. `stat` is used up. Throws FileError for anything else, as `TargetFiles.openFile`.
 */
export function openReadable(
  files: TargetFiles,
  directory: TargetHandle,
  name: Uint8Array,
  stat: StatView,
): TargetHandle | undefined {
  try {
    return files.openFile(directory, name, "read");
  } catch (error) {
    if (!(error instanceof FileError) || error.code !== "EACCES") throw error;
  }
  const entry = files.openEntry(directory, name);
  try {
    stat.handle(entry);
    const { permissions } = stat;
    if (!stat.isFile || stat.links !== 1 || stat.uid !== files.userId) return undefined;
    files.setMode(entry, permissions | ownerMayRead);
    try {
      return files.openFile(directory, name, "read");
    } finally {
      files.setMode(entry, permissions);
    }
  } finally {
    files.close(entry);
  }
}
