/** Who has something open below a folder, as /proc tells. */
import { readlinkSync } from "node:fs";
import { namesIn, readValue } from "./kernel-values.ts";

/** So many are named at most. */
const namedMax = 5;

/** Programs with their process ids, such as `bash (4711)`: with an open file, a working directory or a program there. Of others' processes only root learns. */
export function holdersOf(folder: string): readonly string[] {
  const holders: string[] = [];
  for (const pid of namesIn("/proc").filter((name) => /^\d+$/.test(name))) {
    if (holders.length >= namedMax) break;
    if (holds(`/proc/${pid}`, folder)) holders.push(`${nameOf(pid)} (${pid})`);
  }
  return holders;
}

function holds(process: string, folder: string): boolean {
  const descriptors = namesIn(`${process}/fd`).map((name) => `${process}/fd/${name}`);
  const links = [`${process}/cwd`, `${process}/root`, `${process}/exe`, ...descriptors];
  return links.some((link) => {
    const target = linkTarget(link);
    return target === folder || target.startsWith(`${folder}/`);
  });
}

function nameOf(pid: string): string {
  return readValue(`/proc/${pid}/comm`) ?? "a process";
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
