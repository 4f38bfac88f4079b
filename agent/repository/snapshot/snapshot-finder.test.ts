/** Finds snapshots by what people call them. */
import { describe, expect, it } from "vitest";
import type { BackstayError } from "../../../protocol/backstay-error.ts";
import { CraftedRepository } from "../../../test/repository/crafted-snapshot.ts";
import type { Repository } from "../repository.ts";
import { type Snapshot, snapshotTime } from "./snapshot.ts";
import { encodeSnapshot } from "./snapshot-codec.ts";
import {
  everySnapshot,
  findSnapshot,
  findSnapshots,
  listSnapshots,
  matchesFilter,
  type SnapshotFilter,
  splitSnapshotPath,
} from "./snapshot-finder.ts";

const never = new AbortController().signal;

function snapshot(seconds: number, facts: Partial<Snapshot> = {}): Snapshot {
  return {
    time: snapshotTime(seconds, 0),
    tree: new Uint8Array(32).fill(1),
    paths: ["/srv"],
    hostname: "web",
    username: "ann",
    uid: 0,
    gid: 0,
    excludes: [],
    tags: [],
    programVersion: "",
    ...facts,
  };
}

async function save(repository: Repository, ...snapshots: Snapshot[]): Promise<string[]> {
  const ids: string[] = [];
  for (const each of snapshots)
    ids.push(await repository.saveSnapshot(encodeSnapshot(each), never));
  return ids;
}

const open = async (): Promise<Repository> => await new CraftedRepository().open();

describe("a list", () => {
  it("is in the order of time, to the nanosecond", async () => {
    const repository = await open();
    const [late, early, later] = await save(
      repository,
      snapshot(5),
      snapshot(-5),
      snapshot(5, { time: snapshotTime(5, 1) }),
    );
    const found = await listSnapshots(repository, never);
    expect(found.map(({ id }) => id)).toEqual([early, late, later]);
  });

  it("leaves damaged files out only if somebody is told", async () => {
    const repository = await open();
    const [good] = await save(repository, snapshot(5));
    const name = "ab".repeat(32);
    await repository.store.save({ type: "snapshots", name }, new Uint8Array(80), never);
    await expect(listSnapshots(repository, never)).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
    });
    const told: [string, string][] = [];
    const damaged = (id: string, error: BackstayError): void => void told.push([id, error.code]);
    const found = await listSnapshots(repository, never, { damaged });
    expect(found.map(({ id }) => id)).toEqual([good]);
    expect(told).toEqual([[name, "REPOSITORY_DAMAGED"]]);
  });
});

describe("a filter", () => {
  const tagged = snapshot(1, { tags: ["a", "b"], paths: ["/x", "/y"] });
  const filter = (facts: Partial<SnapshotFilter>): SnapshotFilter => ({
    ...everySnapshot,
    ...facts,
  });

  it.each<[Partial<SnapshotFilter>, boolean]>([
    [{}, true],
    [{ hosts: ["db", "web"] }, true],
    [{ hosts: ["db"] }, false],
    [{ tagLists: [["a", "b"]] }, true],
    [{ tagLists: [["a", "c"], ["b"]] }, true],
    [{ tagLists: [["a", "c"]] }, false],
    [{ tagLists: [[""]] }, false],
    [{ paths: ["/y"] }, true],
    [{ paths: ["/x", "/z"] }, false],
    [{ hosts: ["web"], tagLists: [["a"]], paths: ["/x", "/y"] }, true],
  ])("%j: %s", (facts, matches) => {
    expect(matchesFilter(tagged, filter(facts))).toBe(matches);
  });

  it("the empty tag means no tags at all", () => {
    expect(matchesFilter(snapshot(1), filter({ tagLists: [[""]] }))).toBe(true);
  });
});

describe("a name", () => {
  it("is an id, the first digits of one, or the latest", async () => {
    const repository = await open();
    const [first, second, third] = await save(
      repository,
      snapshot(1),
      snapshot(2, { hostname: "db" }),
      snapshot(3),
    );
    const idOf = async (name: string, hosts: string[] = []): Promise<string> =>
      (await findSnapshot(repository, name, never, { filter: { ...everySnapshot, hosts } })).id;
    expect(await idOf(first)).toBe(first);
    expect(await idOf(second.slice(0, 12))).toBe(second);
    expect(await idOf("latest")).toBe(third);
    expect(await idOf("latest~0")).toBe(third);
    expect(await idOf("latest~2")).toBe(first);
    expect(await idOf("latest~1", ["web"])).toBe(first);
    expect(await idOf("latest", ["db"])).toBe(second);
    // A filter narrows only what it is for.
    expect(await idOf(first, ["db"])).toBe(first);
  });

  it.each(["", "latest~3", "latest~", "nonsense", "FFFF", "f".repeat(64), "0".repeat(63)])(
    "%j that means nothing is not found",
    async (name) => {
      const repository = await open();
      await save(repository, snapshot(1));
      await expect(findSnapshot(repository, name, never)).rejects.toMatchObject({
        code: "SNAPSHOT_NOT_FOUND",
      });
    },
  );

  it("that means several is refused", async () => {
    const repository = await open();
    const ids = await save(repository, ...Array.from({ length: 17 }, (_, i) => snapshot(i)));
    const digit = [..."0123456789abcdef"].find(
      (each) => ids.filter((id) => id.startsWith(each)).length > 1,
    );
    await expect(findSnapshot(repository, digit ?? "", never)).rejects.toMatchObject({
      code: "SNAPSHOT_AMBIGUOUS",
    });
  });

  it("given twice counts once; none stands for all that match", async () => {
    const repository = await open();
    const [first, second] = await save(repository, snapshot(1), snapshot(2));
    const ids = async (names: string[]): Promise<string[]> =>
      (await findSnapshots(repository, names, never)).map(({ id }) => id);
    expect(await ids([])).toEqual([first, second]);
    expect(await ids(["latest", first, second])).toEqual([second, first]);
  });
});

it("a path may follow a name", () => {
  expect(splitSnapshotPath("latest")).toEqual({ name: "latest", path: "" });
  expect(splitSnapshotPath("latest:/a:b")).toEqual({ name: "latest", path: "/a:b" });
});
