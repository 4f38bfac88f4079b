import { rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FaultyStore } from "../../storage/fault/faulty-store.ts";
import { LocalStore } from "../../storage/local/local-store.ts";
import {
  addIndex,
  addSnapshot,
  bytesOf,
  changeIndex,
  check,
  namesOf,
  readIndexJson,
  remove,
  storePack,
} from "../../test/check/check-scene.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { craftPack, hashOf } from "../../test/repository/crafted-packs.ts";
import { CraftedRepository, craftNode } from "../../test/repository/crafted-snapshot.ts";
import { Repository } from "../repository/repository.ts";

/** Two snapshots that share a folder; files of one and of two blobs, an empty one, a link, and an empty folder. */
async function soundRepository(crafted = new CraftedRepository()): Promise<Repository> {
  const shared = crafted.directory("shared", [
    crafted.file("one", ["first blob"]),
    crafted.file("two", ["second blob", "x".repeat(5000)]),
  ]);
  crafted.nextPack();
  const first = crafted.tree([
    shared,
    crafted.file("old", ["only in the first"]),
    crafted.file("nothing", []),
  ]);
  crafted.nextPack();
  const second = crafted.tree([
    shared,
    crafted.file("new", ["only in the second", "first blob"]),
    crafted.directory("empty", []),
    craftNode({ name: "link", type: "symlink", linkTarget: new Uint8Array([0x2e]) }),
  ]);
  const repository = await crafted.open();
  await addSnapshot(repository, first, 1_600_000_000);
  await addSnapshot(repository, second, 1_700_000_000);
  return repository;
}

describe("a sound repository", () => {
  it("has no problems, whatever is read", async () => {
    const repository = await soundRepository();
    for (const readData of [
      { kind: "none" },
      { kind: "all" },
      { kind: "slice", part: 1, of: 2 },
      { kind: "percent", percent: 50 },
      { kind: "bytes", bytes: 100 },
    ] as const) {
      const checked = await check(repository, { readData });
      expect(checked.lines).toEqual([]);
      expect(checked).toMatchObject({ problemCount: 0, hints: [], findings: [] });
    }
  });

  it("is counted", async () => {
    const { statistics } = await check(await soundRepository());
    expect(statistics).toMatchObject({
      keys: 1,
      snapshots: 2,
      indexFiles: 1,
      packs: 4,
      trees: 4,
      packsRead: 4,
      duplicateBlobs: 1,
    });
  });

  it("reads only packs of trees when no data is wished", async () => {
    const { statistics } = await check(await soundRepository(), { readData: { kind: "none" } });
    expect(statistics.packsRead).toBe(1);
  });

  it("reads each pack in exactly one slice", async () => {
    const repository = await soundRepository();
    const trees = (await check(repository, { readData: { kind: "none" } })).statistics.packsRead;
    let read = 0;
    for (let part = 1; part <= 3; part += 1) {
      const readData = { kind: "slice", part, of: 3 } as const;
      read += (await check(repository, { readData })).statistics.packsRead;
    }
    // Packs of trees are read in every run.
    expect(read).toBeGreaterThanOrEqual(4);
    expect(read).toBeLessThanOrEqual(4 + 2 * trees);
  });

  it("may be empty", async () => {
    const checked = await check(await new CraftedRepository().open());
    expect(checked).toMatchObject({ problemCount: 0, hints: [] });
    expect(checked.statistics).toMatchObject({ snapshots: 0, packs: 0, trees: 0 });
  });

  it("leaves the repository as it was, and takes and gives back its lock", async () => {
    const repository = await soundRepository();
    const before = await allFiles(repository);
    let locks = 0;
    const checked = await check(
      repository,
      { noLock: false },
      { progress: () => void namesOf(repository.store, "locks").then((n) => (locks = n.length)) },
    );
    expect(checked.problemCount).toBe(0);
    expect(locks).toBe(1);
    expect(await allFiles(repository)).toEqual(before);
  });

  it("tells how far it has come, in order and to the end", async () => {
    const { progress } = await check(await soundRepository());
    const phases = [...new Set(progress.map(({ phase }) => phase))];
    expect(phases).toEqual(["snapshots", "index", "packs", "data"]);
    const last = progress[progress.length - 1];
    expect(last.done).toBe(4);
    expect(last.bytesDone).toBe(last.bytesTotal);
  });
});

describe("what costs nothing is only a hint", () => {
  it("packs that no index lists", async () => {
    const repository = await soundRepository();
    const orphan = craftPack(repository.sealer, [{ plain: Buffer.from("nobody's") }]);
    await storePack(repository, orphan);
    const { problemCount, hints } = await check(repository);
    expect(problemCount).toBe(0);
    expect(hints).toEqual([
      { kind: "orphaned-packs", count: 1, bytes: orphan.bytes.length, examples: [orphan.id] },
    ]);
  });

  it("packs that two index files list, and blobs in two packs", async () => {
    const repository = await soundRepository();
    const index = await readIndexJson(repository);
    const [twice] = index.packs;
    const copy = craftPack(repository.sealer, [{ plain: Buffer.from("first blob") }]);
    await storePack(repository, copy);
    const blob = { id: twice.blobs[0].id, type: "data", offset: 0, length: 42 };
    // The order of blobs in a list says nothing.
    await addIndex(repository, {
      packs: [
        { id: copy.id, blobs: [blob] },
        { id: twice.id, blobs: twice.blobs.toReversed() },
      ],
    });
    const { problemCount, hints, statistics } = await check(repository);
    expect(problemCount).toBe(0);
    expect(hints).toEqual([
      { kind: "packs-indexed-twice", count: 1, bytes: 0, examples: [twice.id] },
    ]);
    expect(statistics.duplicateBlobs).toBe(2);
  });

  it("packs that hold data and trees", async () => {
    const repository = await soundRepository();
    const tree = Buffer.from('{"nodes":[]}\n');
    const mixed = craftPack(repository.sealer, [
      { plain: Buffer.from("some data") },
      { plain: tree, isTree: true },
      { plain: Buffer.from("more data") },
    ]);
    await storePack(repository, mixed);
    const [first, second, third] = ["some data", tree, "more data"].map((plain) =>
      hexOfHash(Buffer.from(plain)),
    );
    const blobs = [
      { id: first, type: "data", offset: 0, length: 41 },
      { id: second, type: "tree", offset: 41, length: 45 },
      { id: third, type: "data", offset: 86, length: 41 },
    ];
    await addIndex(repository, { packs: [{ id: mixed.id, blobs }] });
    for (const kind of ["none", "all"] as const) {
      const { lines, hints } = await check(repository, { readData: { kind } });
      expect(lines).toEqual([]);
      expect(hints).toEqual([
        { kind: "mixed-packs", count: 1, bytes: mixed.bytes.length, examples: [mixed.id] },
      ]);
    }
  });

  it("trees that nobody needs", async () => {
    const crafted = new CraftedRepository();
    crafted.tree([craftNode({ name: "a/b", type: "fifo" })]);
    crafted.rawTree(Buffer.from("no tree at all"));
    const repository = await crafted.open();
    expect((await check(repository)).lines).toEqual([]);
  });
});

describe("a check", () => {
  it("is refused while others use the repository", async () => {
    const repository = await soundRepository();
    const signal = new AbortController().signal;
    const lock = await repository.lock({ exclusive: false, waitMs: 0, signal });
    await expect(check(repository, { noLock: false })).rejects.toMatchObject({
      code: "REPOSITORY_LOCKED",
    });
    expect((await check(repository, { noLock: true })).problemCount).toBe(0);
    await lock.release();
  });

  it("is refused for parts that make no sense", async () => {
    const repository = await soundRepository();
    const readData = { kind: "slice", part: 3, of: 2 } as const;
    await expect(check(repository, { readData })).rejects.toMatchObject({ code: "USAGE" });
  });

  it("ends at once when it is cancelled, at every step, and gives back its lock", async () => {
    const repository = await soundRepository();
    const { progress } = await check(repository);
    for (let step = 0; step < progress.length; step += 1) {
      const controller = new AbortController();
      const reason = new Error(`stopped at ${step}`);
      let steps = 0;
      const options = { noLock: step > 0 };
      const stop = (): void => {
        if (steps === step) controller.abort(reason);
        steps += 1;
      };
      const checking = check(repository, options, { progress: stop }, controller.signal);
      await expect(checking).rejects.toBe(reason);
      expect(await namesOf(repository.store, "locks")).toEqual([]);
    }
  });

  it("is cancelled before it begins", async () => {
    const reason = new Error("never mind");
    const repository = await soundRepository();
    await expect(check(repository, {}, {}, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it("reads the store and not the cache", async () => {
    const folder = newMemoryFolder("check-cache-");
    try {
      const crafted = new CraftedRepository(new LocalStore(`${folder}/repository`));
      const made = await soundRepository(crafted);
      const password = new TextEncoder().encode("crafted");
      const signal = new AbortController().signal;
      const repository = await Repository.open(made.store, {
        password,
        cacheRoot: `${folder}/cache`,
        signal,
      });
      await repository.loadIndex(signal);
      const [snapshot] = await namesOf(made.store, "snapshots");
      await repository.loadUnpacked("snapshots", snapshot, signal);
      const { packs } = await readIndexJson(made);
      const tree = packs.flatMap(({ blobs }) => blobs).find(({ type }) => type === "tree");
      await repository.loadTree(Buffer.from(tree?.id ?? "", "hex"), signal);
      for (const type of ["index", "snapshots", "data"] as const)
        for (const name of await namesOf(made.store, type)) await remove(made.store, type, name);
      const empty = await check(repository);
      expect(empty.statistics).toMatchObject({ snapshots: 0, packs: 0, blobs: 0 });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each(["index", "snapshots"] as const)(
    "without a lock takes no offence at %s files that vanish",
    async (type) => {
      const made = await soundRepository();
      const gone = { failAt: 1, fault: "before", code: "STORE_NOT_FOUND" } as const;
      const fault = { ...gone, types: [type], methods: ["load"] } as const;
      const password = new TextEncoder().encode("crafted");
      const { signal } = new AbortController();
      const open = async (): Promise<Repository> =>
        await Repository.open(new FaultyStore(made.store, fault), { password, signal });
      const kind = `${type === "index" ? type : "snapshot"}-damaged`;
      const kindsOf = async (noLock: boolean): Promise<string[]> =>
        (await check(await open(), { noLock })).problems.map((problem) => problem.kind);
      expect(await kindsOf(true)).not.toContain(kind);
      expect(await kindsOf(false)).toContain(kind);
    },
  );

  it("that finds something after its lock was lost says so", async () => {
    const repository = await soundRepository();
    const [pack] = await namesOf(repository.store, "data");
    await remove(repository.store, "data", pack);
    const steal = async (): Promise<void> => {
      for (const name of await namesOf(repository.store, "locks"))
        await remove(repository.store, "locks", name);
    };
    const stolen = await check(repository, { noLock: false }, { progress: () => void steal() });
    expect(stolen.hints.map(({ kind }) => kind)).toEqual(["lock-lost"]);
    expect((await check(repository, { noLock: false })).hints).toEqual([]);
  });

  it("copes with changes that leave nothing listed", async () => {
    const repository = await soundRepository();
    await changeIndex(repository, (index) => {
      index.packs = [];
    });
    const { lines, problems } = await check(repository);
    expect(lines).toHaveLength(2);
    expect(problems.every(({ kind }) => kind === "tree-missing")).toBe(true);
    expect(problems.map(({ harm }) => harm.snapshotCount)).toEqual([1, 1]);
  });
});

function hexOfHash(plain: Uint8Array): string {
  return Buffer.from(hashOf(plain)).toString("hex");
}

async function allFiles(repository: Repository): Promise<string[]> {
  const files: string[] = [];
  for (const type of ["keys", "data", "index", "snapshots", "locks"] as const)
    for (const name of await namesOf(repository.store, type)) {
      const bytes = await bytesOf(repository.store, type, name);
      files.push(`${type}/${name} ${hexOfHash(bytes)}`);
    }
  return files;
}
