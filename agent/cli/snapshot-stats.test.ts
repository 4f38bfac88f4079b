/** Counts in the four modes. */
import { expect, it } from "vitest";
import { CraftedRepository } from "../../test/repository/crafted-snapshot.ts";
import { snapshotTime } from "../repository/snapshot/snapshot.ts";
import type { NamedSnapshot } from "../repository/snapshot/snapshot-finder.ts";
import { countSnapshots, type StatsMode } from "./snapshot-stats.ts";

const never = new AbortController().signal;

async function count(mode: StatsMode, times = 1): Promise<object> {
  const made = new CraftedRepository();
  const linked = { inode: 5n, deviceId: 1n, links: 2n };
  const tree = made.tree([
    made.file("a", ["12345", "x".repeat(1000)]),
    made.directory("d", [made.file("same as a", ["12345", "x".repeat(1000)])]),
    made.file("h1", ["linked"], linked),
    made.file("h2", ["linked"], linked),
    made.file("half", ["12345"]),
  ]);
  const repository = await made.open();
  const named: NamedSnapshot = {
    id: "0".repeat(64),
    snapshot: {
      time: snapshotTime(0, 0),
      tree,
      paths: [],
      hostname: "",
      username: "",
      uid: 0,
      gid: 0,
      excludes: [],
      tags: [],
      programVersion: "",
    },
  };
  const snapshots = Array.from({ length: times }, () => named);
  const stats = await countSnapshots(repository, snapshots, mode, never, {
    damaged: (_, error) => expect.fail(error.message),
  });
  return Object.fromEntries(Object.entries(stats).filter(([, value]) => value !== 0));
}

it("restore-size counts every entry, and the bytes of hard links once a snapshot", async () => {
  expect(await count("restore-size")).toEqual({
    snapshots: 1,
    files: 6,
    totalBytes: 2 * 1005 + 6 + 5,
  });
  expect(await count("restore-size", 2)).toMatchObject({ files: 12, totalBytes: 2 * 2021 });
});

it("files-by-contents counts each content once, everything without content as one", async () => {
  expect(await count("files-by-contents", 2)).toEqual({
    snapshots: 2,
    files: 4,
    totalBytes: 1005 + 6 + 5,
  });
});

it("blobs-per-file counts the blobs of files of different contents", async () => {
  expect(await count("blobs-per-file", 2)).toEqual({
    snapshots: 2,
    files: 3,
    blobs: 4,
    totalBytes: 1005 + 6 + 5,
  });
});

it("raw-data counts each blob once, with what compression saves", async () => {
  const stats = (await count("raw-data", 2)) as Record<string, number>;
  // Three data blobs and two trees; all but the short ones are compressed.
  expect(stats).toMatchObject({ snapshots: 2, blobs: 5 });
  expect(stats["totalBytes"]).toBeLessThan(stats["uncompressedBytes"]);
  expect(stats["compressionRatio"]).toBeGreaterThan(1);
  expect(stats["compressedPercent"]).toBeLessThan(100);
  const saved = 100 * (1 - stats["totalBytes"] / stats["uncompressedBytes"]);
  expect(stats["savedPercent"]).toBeCloseTo(saved);
});
