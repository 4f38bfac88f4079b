/** The limit of open files of this process, as the kernel tells it. */
import { readFileSync } from "node:fs";

/** What every system since long allows. */
const fallback = 1024;
const limitLine = /^Max open files\s+(\d+|unlimited)/m;

export function openFilesMax(): number {
  try {
    const limit = limitLine.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
    if (limit === "unlimited") return Number.MAX_SAFE_INTEGER;
    return limit === undefined ? fallback : Number(limit);
  } catch {
    // No /proc, as in some containers.
    return fallback;
  }
}
