/** Folders that are deep, wide, empty, or further down than a path can say. */
import { Buffer } from "node:buffer";
import { closeSync, constants, openSync, writeFileSync } from "node:fs";
import { scrambled, type TreeBuilder } from "./tree-builder.ts";

const deepLevels = 200;
const mostNameBytes = 255;
/** Leaves room in a path of 4095 bytes for where a tree lies, twice: a restore keeps the path of its source. */
const longLevels = 13;
const beyondLevels = 24;

/** Makes the folders `deep`, `wide` and `empty`. */
export function addAwkwardFolders(builder: TreeBuilder, wideEntries: number): void {
  const levels = ["deep"];
  for (let level = 1; level <= deepLevels; level += 1) {
    levels.push(`${level}`);
    builder.folder(...levels);
    builder.file([...levels, "file"], `${level}`);
  }
  const long = ["deep"];
  for (let level = 0; level < longLevels; level += 1)
    long.push(`${level}`.padEnd(mostNameBytes, "long"));
  builder.folder(...long);
  builder.file([...long, "f"], "far down");
  addWide(builder, wideEntries);
  builder.folder("empty", "in empty");
  const past = builder.folder("empty", "from the past");
  builder.atEnd(() => builder.entries.setTime(past, { seconds: 86_400, nanoseconds: 42 }));
}

function addWide(builder: TreeBuilder, count: number): void {
  builder.folder("wide");
  for (let i = 0; i < count; i += 1) {
    // Names of several lengths, whose order is not the one in which they are made.
    const name = `${(i * 7919) % count}${i % 7 === 0 ? "-é" : ""}`;
    if (i % 50 === 3) builder.folder("wide", name);
    else builder.file(["wide", name], i % 4 === 0 ? "" : scrambled(name, (i % 100) * 3));
  }
}

/** Makes the folder `beyond`: nested so deeply that no path leads to its end. */
export function addBeyondPaths(builder: TreeBuilder): void {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  let here = openSync(builder.folder("beyond"), flags);
  for (let level = 0; level < beyondLevels; level += 1) {
    const name = Buffer.from(`${level}`.padEnd(mostNameBytes, "beyond"));
    builder.entries.makeDirectory(here, name);
    const inside = Buffer.concat([Buffer.from(`/proc/self/fd/${here}/`), name]);
    const next = openSync(inside, flags);
    writeFileSync(`/proc/self/fd/${next}/file`, `${level}`);
    closeSync(here);
    here = next;
  }
  closeSync(here);
}
