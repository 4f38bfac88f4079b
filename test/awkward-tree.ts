/**
 * A tree with every awkward thing that a Linux file system holds: what a backup must bring back. It is the
 * same each time it is made, but for inode numbers and the times that it does not set.
 */
import { mkdirSync } from "node:fs";
import { addAwkwardContents, addSparseFiles } from "./awkward-tree/awkward-contents.ts";
import { addAwkwardFolders, addBeyondPaths } from "./awkward-tree/awkward-folders.ts";
import { addHardLinks, addSpecialEntries, addSymlinks } from "./awkward-tree/awkward-links.ts";
import { addAttributes, addModesOwnersAndTimes } from "./awkward-tree/awkward-metadata.ts";
import { addAwkwardNames } from "./awkward-tree/awkward-names.ts";
import { TreeBuilder } from "./awkward-tree/tree-builder.ts";

export interface AwkwardTreeOptions {
  /** Entries of the folder `wide`. */
  readonly wideEntries?: number;
  /** Size of the file `sparse/largest`, at least 4 MiB; it holds 1 MiB of data. */
  readonly largestBytes?: number;
  /** Size of the largest extended attribute. ext4 holds less than 4 KiB an entry, XFS 64 KiB a value. */
  readonly attributeBytes?: number;
  /** Also a folder `beyond` that goes deeper than any path: few programs come to its end. */
  readonly isBeyondPaths?: boolean;
}

const usualWideEntries = 2000;
const usualAttributeBytes = 3500;
const usualLargestBytes = 64 * 1024 * 1024;

/**
 * Makes the tree in a folder that must not exist. Returns what was left out because this user or file
 * system can't have it, in words: tests show it. Of a user who is not root much is left out.
 */
export function makeAwkwardTree(folder: string, options: AwkwardTreeOptions = {}): string[] {
  mkdirSync(folder);
  const builder = new TreeBuilder(Buffer.from(folder));
  addAwkwardNames(builder);
  addAwkwardContents(builder);
  addSparseFiles(builder, options.largestBytes ?? usualLargestBytes);
  addSymlinks(builder);
  addSpecialEntries(builder);
  addHardLinks(builder);
  addModesOwnersAndTimes(builder);
  addAttributes(builder, options.attributeBytes ?? usualAttributeBytes);
  addAwkwardFolders(builder, options.wideEntries ?? usualWideEntries);
  if (options.isBeyondPaths === true) addBeyondPaths(builder);
  builder.finish();
  builder.entries.setTime(builder.root, { seconds: 1_600_000_000, nanoseconds: 987_654_321 });
  return [...new Set(builder.leftOut)];
}
