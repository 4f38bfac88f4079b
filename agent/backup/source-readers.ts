/** How many threads may read the source at once. */
import { openSourceFiles } from "../../platform/open-source-files.ts";
import { FileError } from "../../platform/ports/source-files.ts";

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
