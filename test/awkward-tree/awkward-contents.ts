/** Files whose sizes, bytes and holes are hard: at the borders of chunks, equal, empty in places. */
import { Buffer } from "node:buffer";
import { closeSync, ftruncateSync, openSync, statSync, writeSync } from "node:fs";
import { scrambled, type TreeBuilder } from "./tree-builder.ts";

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** Least, usual and most bytes of a chunk, sizes of blocks and packs, and what is right beside them. */
const borderSizes: readonly number[] = [
  0,
  1,
  ...[512, 4096, 512 * kibibyte, mebibyte, 8 * mebibyte].flatMap((size) => [
    size - 1,
    size,
    size + 1,
  ]),
  16 * mebibyte + 1,
];

/** What a tree of an empty folder looks like in a repository. */
const emptyTree = '{"nodes":[]}\n';

/** Makes the folder `contents`. */
export function addAwkwardContents(builder: TreeBuilder): void {
  builder.folder("contents", "sizes");
  for (const size of borderSizes)
    builder.file(["contents", "sizes", `${size} bytes`], scrambled(`${size}`, size));
  builder.folder("contents", "equal");
  const shared = scrambled("shared", 2 * mebibyte + 17);
  for (const name of ["first", "second", "third"])
    builder.file(["contents", "equal", name], shared);
  // Shares all but its first chunks with the others.
  const shifted = Buffer.concat([Buffer.from("in front"), shared]);
  builder.file(["contents", "equal", "shifted"], shifted);
  builder.file(["contents", "equal", "tree of an empty folder"], emptyTree);
  builder.file(["contents", "equal", "tree of an empty folder, again"], emptyTree);
  builder.folder("contents", "equal", "empty folder");
  builder.folder("contents", "plain");
  builder.file(["contents", "plain", "text"], "All work and no play.\n".repeat(150_000));
  builder.file(["contents", "plain", "zeros"], Buffer.alloc(3 * mebibyte + 5));
  builder.file(["contents", "plain", "ones"], Buffer.alloc(9 * mebibyte, 0xff));
  builder.file(["contents", "plain", "zstd frame"], Buffer.from("28b52ffd0458610000", "hex"));
}

/** A sparse file: its size, and where it has data. */
interface Sparse {
  readonly sizeBytes: number;
  readonly data: readonly { readonly at: number; readonly bytes: number }[];
}

/** Makes the folder `sparse`; one file is `largestBytes` long and holds next to nothing. */
export function addSparseFiles(builder: TreeBuilder, largestBytes: number): void {
  const files: Record<string, Sparse> = {
    "hole at the start": { sizeBytes: 9 * mebibyte, data: [{ at: 8 * mebibyte, bytes: mebibyte }] },
    "hole in the middle": {
      sizeBytes: 20 * mebibyte,
      data: [
        { at: 0, bytes: 300 * kibibyte },
        { at: 19 * mebibyte, bytes: mebibyte },
      ],
    },
    "hole at the end": { sizeBytes: 12 * mebibyte + 3, data: [{ at: 0, bytes: 70_000 }] },
    "nothing but a hole": { sizeBytes: 5 * mebibyte, data: [] },
    "a hole of one byte": { sizeBytes: 1, data: [] },
    "many small holes": {
      sizeBytes: 2 * mebibyte,
      data: Array.from({ length: 16 }, (_, i) => ({ at: i * 128 * kibibyte, bytes: 4096 })),
    },
    "holes that fit no block": {
      sizeBytes: 3 * mebibyte + 4097,
      data: [
        { at: 4095, bytes: 2 },
        { at: mebibyte - 1, bytes: 1 },
        { at: 2 * mebibyte + 12_345, bytes: 6789 },
      ],
    },
    largest: {
      sizeBytes: largestBytes,
      data: [
        { at: 4096, bytes: 10_000 },
        { at: Math.floor(largestBytes / 2) + 1, bytes: mebibyte },
        { at: largestBytes - 5, bytes: 5 },
      ],
    },
  };
  builder.folder("sparse");
  for (const [name, file] of Object.entries(files)) makeSparse(builder, name, file);
  const { blocks } = statSync(builder.path("sparse", "nothing but a hole"));
  if (blocks > 0) builder.leftOut.push("holes in files: this file system has none");
}

function makeSparse(builder: TreeBuilder, name: string, { sizeBytes, data }: Sparse): void {
  const descriptor = openSync(builder.path("sparse", name), "wx");
  try {
    for (const { at, bytes } of data) {
      writeSync(descriptor, scrambled(`${name} ${at}`, bytes), 0, bytes, at);
    }
    ftruncateSync(descriptor, sizeBytes);
  } finally {
    closeSync(descriptor);
  }
}
