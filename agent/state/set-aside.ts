/** A database that can't be used is kept under another name: somebody may want to look at it. */
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";

/** What SQLite puts beside a database. A log that outlived its database would be played into the next one. */
export const companions = ["", "-wal", "-shm"] as const;

const keptMax = 3;
const asidePattern = /^(state\.aside-\d{8}T\d{6}\.\d{3}Z\.db)(?:-wal|-shm)?$/;

/**
 * Renames a database with all that belongs to it and returns its new name. The oldest of more than three goes.
 * Throws the system's error.
 */
export function setAside(file: string, nowMs: number): string {
  const folder = path.dirname(file);
  const target = freeName(folder, nowMs);
  // The log first: a crash between the two leaves a database without its last changes, and not a foreign log.
  for (const companion of companions.toReversed())
    if (existsSync(file + companion)) renameSync(file + companion, target + companion);
  dropOldest(folder);
  return target;
}

/** Names sort by time. */
function freeName(folder: string, nowMs: number): string {
  for (let ms = nowMs; ; ms += 1) {
    const stamp = new Date(ms).toISOString().replace(/[-:]/g, "");
    const target = path.join(folder, `state.aside-${stamp}.db`);
    if (companions.every((companion) => !existsSync(target + companion))) return target;
  }
}

function dropOldest(folder: string): void {
  const names = readdirSync(folder)
    .map((name) => asidePattern.exec(name)?.[1])
    .filter((name) => name !== undefined);
  for (const name of [...new Set(names)].sort().slice(0, -keptMax))
    for (const companion of companions)
      rmSync(path.join(folder, name + companion), { force: true });
}
