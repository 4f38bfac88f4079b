/** Removes entries of the target, folders with all that is in them, following nothing and crossing no mount. */
import { FileError } from "../../../platform/ports/source-files.ts";
import type { TargetFiles, TargetHandle } from "../../../platform/ports/target-files.ts";

/** Folders held open at once; what lies deeper is moved up first. */
const openMax = 64;

interface OpenFolder {
  readonly parent: TargetHandle;
  readonly name: Uint8Array;
  readonly handle: TargetHandle;
  readonly entries: Uint8Array[];
}

/**
 * Removes `name` of `parent`, whatever it is. Throws FileError at the first thing that can't be removed: EXDEV
 * for a mount point. `isCancelled` is asked between entries; then the rest stays.
 */
export function removeTree(
  files: TargetFiles,
  parent: TargetHandle,
  name: Uint8Array,
  isCancelled: () => boolean,
): void {
  if (removeLeaf(files, parent, name)) return;
  const open = [openFolder(files, parent, name)];
  let moved = 0;
  try {
    while (open.length > 0 && !isCancelled()) {
      const folder = open[open.length - 1];
      const entry = folder.entries.pop();
      if (entry === undefined) {
        open.pop();
        files.close(folder.handle);
        files.removeDirectory(folder.parent, folder.name);
      } else if (removeLeaf(files, folder.handle, entry)) continue;
      else if (open.length < openMax) open.push(openFolder(files, folder.handle, entry));
      else {
        assertNoMount(files, folder.handle, entry);
        const top = open[0];
        const place = Buffer.from(`.backstay-removed-${process.pid}-${moved}`);
        moved += 1;
        files.rename(folder.handle, entry, top.handle, place);
        top.entries.push(place);
      }
    }
  } finally {
    for (const { handle } of open) files.close(handle);
  }
}

/** False for a directory. */
function removeLeaf(files: TargetFiles, parent: TargetHandle, name: Uint8Array): boolean {
  try {
    files.removeFile(parent, name);
    return true;
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    if (error.code === "ENOENT") return true;
    // Linux says EISDIR for a directory, other systems EPERM, which may mean anything.
    if (error.code === "EISDIR") return false;
    if (error.code !== "EPERM" || !isDirectory(files, parent, name)) throw error;
    return false;
  }
}

function isDirectory(files: TargetFiles, parent: TargetHandle, name: Uint8Array): boolean {
  try {
    files.close(files.openDirectory(parent, name));
    return true;
  } catch {
    return false;
  }
}

function openFolder(files: TargetFiles, parent: TargetHandle, name: Uint8Array): OpenFolder {
  assertNoMount(files, parent, name);
  const handle = files.openDirectory(parent, name);
  try {
    const { count, names, offsets } = files.list(handle);
    const entries: Uint8Array[] = [];
    for (let i = 0; i < count; i += 1) entries.push(names.subarray(offsets[i], offsets[i + 1]));
    return { parent, name, handle, entries };
  } catch (error) {
    files.close(handle);
    throw error;
  }
}

function assertNoMount(files: TargetFiles, parent: TargetHandle, name: Uint8Array): void {
  if (files.isMountPoint(parent, name))
    throw new FileError("EXDEV", "remove", Buffer.from(name).toString());
}
