/** Gives memory that this process does not need any more back to the system. */
import koffi from "koffi";

let trim: ((padBytes: number) => number) | undefined;

/**
 * Collects garbage as far as it goes (if Node was started with `--expose-gc`), and returns what the C library keeps for
 * later. Takes some tens of milliseconds: for a process that has nothing to do now.
 */
export function returnMemory(): void {
  // The usual ways keep pages for the next burst; the last resort does not.
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  if (process.platform !== "linux") return;
  trim ??= openTrim();
  trim(0);
}

function openTrim(): (padBytes: number) => number {
  try {
    return koffi.load("libc.so.6").func("int malloc_trim(size_t)") as (padBytes: number) => number;
  } catch {
    // Another C library, which has no such call.
    return () => 0;
  }
}
