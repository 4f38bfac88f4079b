/** How many threads read and seal, and how many of them may read at once. */
import { availableParallelism } from "node:os";
import { openSourceFiles } from "../../platform/open-source-files.ts";
import { FileError } from "../../platform/ports/source-files.ts";
import type { BackupRequest } from "./backup-request.ts";

/** More sealing workers would take more memory than they are worth. */
const sealersMax = 8;

/** Number of sealing workers: one a core, more if more readers are asked for. */
export function sealersFor(request: BackupRequest): number {
  const cores = availableParallelism();
  return Math.max(1, Math.min(sealersMax, Math.max(cores, request.readers ?? 0)));
}

/** The smallest bound that a medium of the sources asks for; 0 if none does. */
export function readersOf(paths: readonly Uint8Array[]): number {
  const files = openSourceFiles();
  let bound = 0;
  for (const path of paths) {
    try {
      const { readers, kind } = files.medium(path);
      if (kind === "rotating") bound = bound === 0 ? readers : Math.min(bound, readers);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      // A missing path is reported by the scan.
    }
  }
  return bound;
}
