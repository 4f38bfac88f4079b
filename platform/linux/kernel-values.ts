/** What the kernel shows in /proc and /sys, one value a file. What is not there, or vanishes meanwhile, is no failure. */
import { readdirSync, readFileSync } from "node:fs";

/** The value in a file, without white space around it; undefined if it can't be read. */
export function readValue(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** Names in a folder; none if it can't be read. */
export function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
