import { beforeEach, describe, expect, it } from "vitest";
import { FaultyStore, type ScriptedFault } from "../../storage/fault/faulty-store.ts";
import {
  addIndex,
  addSnapshot,
  bytesOf,
  type Checked,
  changeIndex,
  check,
  flipBit,
  namesOf,
  overwrite,
  pathsOf,
  problemOf,
  readIndexJson,
  remove,
  storeJson,
  storePack,
} from "../../test/check/check-scene.ts";
import { closePack, craftPack, hashOf, hexOf } from "../../test/repository/crafted-packs.ts";
import { CraftedRepository, craftNode } from "../../test/repository/crafted-snapshot.ts";
import { Repository } from "../repository/repository.ts";

const never = new AbortController().signal;
const everyRead = [{ kind: "none" }, { kind: "all" }] as const;

let repository: Repository;
/** Packs of files: that of the folder both snapshots have, that of the first, that of the second, all trees. */
let [sharedPack, oldPack, newPack, treePack] = ["", "", "", ""];
let [oldSnapshot, newSnapshot] = ["", ""];

beforeEach(async () => {
  const crafted = new CraftedRepository();
  const shared = crafted.directory("shared", [
    crafted.file("one", ["first blob"]),
    crafted.file("two", ["second blob", "x".repeat(5000)]),
  ]);
  crafted.nextPack();
  const first = crafted.tree([shared, crafted.file("old", ["only in the first"])]);
  crafted.nextPack();
  const second = crafted.tree([
    shared,
    crafted.directory("deep", [
      crafted.directory("deeper", [crafted.file("new", ["only in the second"])]),
    ]),
    craftNode({
      name: "mixed",
      type: "file",
      size: 21,
      content: Buffer.concat([crafted.blob("another one"), hashOf(Buffer.from("first blob"))]),
    }),
  ]);
  repository = await crafted.open();
  oldSnapshot = await addSnapshot(repository, first, 1_600_000_000);
  newSnapshot = await addSnapshot(repository, second, 1_700_000_000);
  const { packs } = await readIndexJson(repository);
  [sharedPack, oldPack, newPack, treePack] = packs.map(({ id }) => id);
});

const short = (id: string): string => id.slice(0, 8);

/** The one problem, of that kind, on that pack. */
function onlyPackProblem(checked: Checked, kind: string, pack: string): Checked["problems"][0] {
  expect(checked.lines).toEqual([`${kind} pack ${short(pack)}`]);
  expect(checked.findings).toHaveLength(1);
  return checked.problems[0];
}

describe("a damaged pack of files", () => {
  it.each([
    ["in its first blob", 20],
    ["in its header", -30],
    ["in the length of its header", -1],
  ])("is found by one flipped bit %s", async (_, at) => {
    await flipBit(repository.store, "data", oldPack, at);
    const problem = onlyPackProblem(await check(repository), "pack-damaged", oldPack);
    expect(problem.details[0]).toBe("its content is not what its name says");
  });

  it("hurts the files of the damaged blob alone, in the snapshots that have them", async () => {
    await flipBit(repository.store, "data", newPack, 20);
    const { harm, details } = onlyPackProblem(await check(repository), "pack-damaged", newPack);
    expect(harm).toMatchObject({ snapshots: [newSnapshot], snapshotCount: 1, isComplete: true });
    expect(harm.paths).toEqual([
      { snapshot: newSnapshot, path: new Uint8Array(Buffer.from("/deep/deeper/new")) },
    ]);
    expect(details[1]).toMatch(/^1 blob is damaged: data [0-9a-f]{64}: its seal is broken$/);
  });

  it("hurts every snapshot that shares its files, each named once and newest first", async () => {
    await flipBit(repository.store, "data", sharedPack, 20);
    const { harm } = onlyPackProblem(await check(repository), "pack-damaged", sharedPack);
    expect(harm).toMatchObject({ snapshots: [newSnapshot, oldSnapshot], snapshotCount: 2 });
    expect(harm.paths.map(({ path }) => Buffer.from(path).toString())).toEqual([
      "/mixed",
      "/shared/one",
    ]);
    expect(harm.pathCount).toBe(2);
  });

  it("hurts nothing if only its header is damaged, for the index knows its blobs", async () => {
    await flipBit(repository.store, "data", sharedPack, -30);
    const { harm } = onlyPackProblem(await check(repository), "pack-damaged", sharedPack);
    expect(harm).toMatchObject({ snapshotCount: 0, pathCount: 0 });
  });

  it("hurts nothing if another pack has its blobs", async () => {
    const copy = craftPack(repository.sealer, [{ plain: Buffer.from("only in the first") }]);
    await storePack(repository, copy);
    const blob = { id: hexOf(hashOf(Buffer.from("only in the first"))), type: "data" };
    await addIndex(repository, {
      packs: [{ id: copy.id, blobs: [{ ...blob, offset: 0, length: 49 }] }],
    });
    await flipBit(repository.store, "data", oldPack, 20);
    const one = onlyPackProblem(await check(repository), "pack-damaged", oldPack);
    expect(one.harm).toMatchObject({ snapshotCount: 0, pathCount: 0 });
    await remove(repository.store, "data", copy.id);
    const both = await check(repository);
    expect(both.lines).toEqual(
      [`pack-damaged pack ${short(oldPack)}`, `pack-missing pack ${short(copy.id)}`].toSorted(),
    );
    expect(both.problems.flatMap(pathsOf)).toEqual(["/old"]);
  });

  it("is not looked at when no data is wished", async () => {
    await flipBit(repository.store, "data", oldPack, 20);
    expect((await check(repository, { readData: { kind: "none" } })).lines).toEqual([]);
  });
});

describe.each(everyRead)("with data read: $kind", (readData) => {
  it("a missing pack is found with all that it held", async () => {
    await remove(repository.store, "data", sharedPack);
    const { harm } = onlyPackProblem(
      await check(repository, { readData }),
      "pack-missing",
      sharedPack,
    );
    expect(harm.snapshotCount).toBe(2);
    expect(harm.paths).toHaveLength(3);
  });

  it("a missing pack of trees hurts the roots", async () => {
    await remove(repository.store, "data", treePack);
    const problem = onlyPackProblem(
      await check(repository, { readData }),
      "pack-missing",
      treePack,
    );
    expect(problem.harm.snapshots).toEqual([newSnapshot, oldSnapshot]);
    expect(pathsOf(problem)).toEqual(["/", "/"]);
  });

  it("a damaged tree hurts its directory", async () => {
    const { packs } = await readIndexJson(repository);
    const [shared] = packs[3].blobs;
    await flipBit(repository.store, "data", treePack, shared.offset + 18);
    const problem = onlyPackProblem(
      await check(repository, { readData }),
      "pack-damaged",
      treePack,
    );
    expect(problem.harm.snapshots).toEqual([newSnapshot, oldSnapshot]);
    expect(pathsOf(problem)).toEqual(["/shared"]);
  });

  it("packs that changed places are both found", async () => {
    const [first, second] = [
      await bytesOf(repository.store, "data", oldPack),
      await bytesOf(repository.store, "data", newPack),
    ];
    await overwrite(repository.store, "data", oldPack, second);
    await overwrite(repository.store, "data", newPack, first);
    const checked = await check(repository, { readData });
    expect(checked.problems.map(({ object }) => object.id).toSorted()).toEqual(
      [oldPack, newPack].toSorted(),
    );
    const hurt = checked.problems.flatMap(pathsOf).toSorted();
    expect(hurt).toEqual(["/deep/deeper/new", "/mixed", "/old"]);
  });

  it("a truncated pack is found with what was in its lost part", async () => {
    const bytes = await bytesOf(repository.store, "data", sharedPack);
    await overwrite(repository.store, "data", sharedPack, bytes.subarray(0, 60));
    const problem = onlyPackProblem(await check(repository, { readData }), "pack-size", sharedPack);
    expect(pathsOf(problem)).toEqual(["/shared/two"]);
    expect(problem.details[0]).toBe(`it has 60 bytes; by the index it should have ${bytes.length}`);
  });

  it("a pack with bytes behind its end is found, and hurts nothing", async () => {
    const bytes = await bytesOf(repository.store, "data", oldPack);
    await overwrite(repository.store, "data", oldPack, Buffer.concat([bytes, Buffer.of(0)]));
    const problem = onlyPackProblem(await check(repository, { readData }), "pack-size", oldPack);
    expect(problem.harm.snapshotCount).toBe(0);
  });

  it("an empty pack is found", async () => {
    await overwrite(repository.store, "data", oldPack, new Uint8Array(0));
    const problem = onlyPackProblem(await check(repository, { readData }), "pack-size", oldPack);
    expect(pathsOf(problem)).toEqual(["/old"]);
  });

  it.each([0, 5, 40, 100])(
    "an index cut to %i bytes is found, and what only it knew",
    async (n) => {
      const [name] = await namesOf(repository.store, "index");
      const bytes = await bytesOf(repository.store, "index", name);
      await overwrite(repository.store, "index", name, bytes.subarray(0, n));
      const checked = await check(repository, { readData });
      expect(problemOf(checked, "index-damaged").object).toEqual({ type: "index", id: name });
      expect(checked.problems.filter(({ kind }) => kind === "tree-missing")).toHaveLength(2);
      expect(checked.hints.map(({ kind }) => kind)).toEqual(["orphaned-packs"]);
    },
  );

  it("a flipped bit in an index file is found", async () => {
    const [name] = await namesOf(repository.store, "index");
    await flipBit(repository.store, "index", name, 100);
    const problem = problemOf(await check(repository, { readData }), "index-damaged");
    expect(problem.details).toEqual(["its content is not what its name says"]);
  });

  it("a damaged snapshot is found, and the others are checked", async () => {
    await flipBit(repository.store, "snapshots", oldSnapshot, 50);
    const checked = await check(repository, { readData });
    expect(checked.lines).toEqual([`snapshot-damaged snapshot ${short(oldSnapshot)}`]);
    expect(checked.problems[0].harm.snapshots).toEqual([oldSnapshot]);
    expect(checked.statistics.snapshots).toBe(1);
  });

  it("a snapshot without bytes is found", async () => {
    await overwrite(repository.store, "snapshots", oldSnapshot, new Uint8Array(0));
    const checked = await check(repository, { readData });
    expect(checked.lines).toEqual([`snapshot-damaged snapshot ${short(oldSnapshot)}`]);
  });

  it.each([new Uint8Array(0), Buffer.from("{}"), Buffer.from("nothing")])(
    "a key file that is none is found",
    async (bytes) => {
      const id = "1".repeat(64);
      await overwrite(repository.store, "keys", id, bytes);
      const checked = await check(repository, { readData });
      expect(checked.lines).toEqual(["key-damaged key 11111111"]);
      expect(checked.statistics.keys).toBe(2);
    },
  );

  it("a key file with a flipped bit is found", async () => {
    const [id] = await namesOf(repository.store, "keys");
    await flipBit(repository.store, "keys", id, -10, 1);
    const checked = await check(repository, { readData });
    expect(checked.lines).toEqual([`key-damaged key ${short(id)}`]);
  });
});

describe("an index that lies", () => {
  it("about a length inside a pack is found without reading data", async () => {
    await changeIndex(repository, ({ packs }) => {
      packs[0].blobs[0].length -= 1;
      packs[0].blobs[1].offset -= 1;
    });
    const checked = await check(repository, { readData: { kind: "none" } });
    const problem = problemOf(checked, "pack-layout");
    expect(problem.object.id).toBe(sharedPack);
    expect(problem.details.join()).toContain("only the pack's own header names: data blob");
  });

  it.each([
    ["a gap", 1],
    ["an overlap", -1],
  ])("with %s between blobs is found", async (_, shift) => {
    await changeIndex(repository, ({ packs }) => {
      packs[0].blobs[1].offset += shift;
    });
    const checked = await check(repository);
    const problem = problemOf(checked, "pack-layout");
    expect(pathsOf(problem)).toEqual(["/shared/two"]);
  });

  it("about the order of blobs is found", async () => {
    await changeIndex(repository, ({ packs }) => {
      const [one, two] = packs[0].blobs;
      [one.id, two.id] = [two.id, one.id];
      two.length -= 1;
      one.length += 1;
      two.offset += 1;
    });
    const problem = onlyPackProblem(await check(repository), "pack-damaged", sharedPack);
    expect(pathsOf(problem)).toEqual(["/mixed", "/shared/one", "/shared/two"]);
    expect(problem.details.join()).toContain("only the index names: data blob");
  });

  it("about the type of a blob is found", async () => {
    await changeIndex(repository, ({ packs }) => {
      packs[1].blobs[0].type = "tree";
    });
    const checked = await check(repository);
    expect(problemOf(checked, "blob-type").details[0]).toMatch(/^"old": blob [0-9a-f]{64}$/);
    expect(problemOf(checked, "pack-damaged").object.id).toBe(oldPack);
  });

  it("about the plain length of a blob is found", async () => {
    await changeIndex(repository, ({ packs }) => {
      const compressed = packs[0].blobs.find((blob) => blob.uncompressed_length !== undefined);
      if (compressed !== undefined) compressed.uncompressed_length = 5001;
    });
    const checked = await check(repository);
    expect(pathsOf(problemOf(checked, "pack-damaged"))).toEqual(["/shared/two"]);
  });

  it("by leaving out the plain length is found", async () => {
    await changeIndex(repository, ({ packs }) => {
      for (const blob of packs[0].blobs) delete blob.uncompressed_length;
    });
    const checked = await check(repository);
    expect(pathsOf(problemOf(checked, "pack-size"))).toEqual(["/shared/two"]);
  });

  it("with a blob that the pack does not have is found", async () => {
    await changeIndex(repository, ({ packs }) => {
      packs[1].blobs.push({ id: "ab".repeat(32), type: "data", offset: 49, length: 100 });
    });
    const problem = problemOf(await check(repository, { readData: { kind: "none" } }), "pack-size");
    expect(problem.object.id).toBe(oldPack);
    expect(problem.harm.pathCount).toBe(0);
  });

  it("by leaving out a blob is found, and who needs it", async () => {
    await changeIndex(repository, ({ packs }) => {
      packs[0].blobs.splice(1, 1);
    });
    const checked = await check(repository);
    expect(problemOf(checked, "pack-layout").object.id).toBe(sharedPack);
    const missing = problemOf(checked, "blob-missing");
    expect(missing.object.type).toBe("tree");
    expect(missing.harm.snapshots).toEqual([newSnapshot, oldSnapshot]);
    expect(pathsOf(missing)).toEqual(["/shared/two"]);
    expect(missing.details).toEqual([`"two": blob ${hexOf(hashOf(Buffer.from("second blob")))}`]);
  });

  it("with a pack split over two files is found", async () => {
    const { packs } = await readIndexJson(repository);
    const blobs = packs[0].blobs;
    await changeIndex(repository, (index) => {
      index.packs[0].blobs = blobs.slice(0, 1);
    });
    await addIndex(repository, { packs: [{ id: sharedPack, blobs: blobs.slice(1) }] });
    const problem = onlyPackProblem(await check(repository), "pack-split", sharedPack);
    expect(problem.harm.snapshotCount).toBe(0);
    expect(problem.details).toEqual(["index files list different blobs for it"]);
  });

  it.each([
    ["no JSON", "{"],
    ["JSON of another kind", "[1, 2]"],
    ["a pack without id", '{"packs":[{"blobs":[]}]}'],
    ["an id that is a path", '{"packs":[{"id":"../../etc/passwd","blobs":[]}]}'],
    ["an impossible offset", indexWith({ offset: 2 ** 53 })],
    ["a negative length", indexWith({ length: -1 })],
    ["an unknown type", indexWith({ type: "blob" })],
    ["a blob beyond 4 GiB", indexWith({ offset: 0xffffffff })],
  ])("is named: %s", async (_, text) => {
    const damaged = await storeJson(repository, "index", Buffer.from(text));
    const checked = await check(repository);
    expect(checked.lines).toEqual([`index-damaged index ${short(damaged)}`]);
  });
});

function indexWith(facts: object): string {
  const blob = { id: "ab".repeat(32), type: "data", offset: 0, length: 100, ...facts };
  return JSON.stringify({ packs: [{ id: "cd".repeat(32), blobs: [blob] }] });
}

describe("a pack that is not what the index says", () => {
  it("under a wrong name, with everything in it right, is found", async () => {
    const bytes = await bytesOf(repository.store, "data", oldPack);
    const wrong = "77".repeat(32);
    await overwrite(repository.store, "data", wrong, bytes);
    await remove(repository.store, "data", oldPack);
    await changeIndex(repository, ({ packs }) => {
      packs[1].id = wrong;
    });
    const problem = onlyPackProblem(await check(repository), "pack-damaged", wrong);
    expect(problem.details).toEqual(["its content is not what its name says"]);
    expect(problem.harm.snapshotCount).toBe(0);
  });

  it("with the entries of its header in another order is found", async () => {
    const { sealer } = repository;
    const [one, two] = ["blob one", "blob two"].map((text) => Buffer.from(text));
    const sound = craftPack(sealer, [{ plain: one }, { plain: two }]);
    const entry = sound.header.length / 2;
    const turned = Buffer.concat([sound.header.subarray(entry), sound.header.subarray(0, entry)]);
    const pack = closePack(sealer, sound.bytes.subarray(0, 80), turned);
    await storePack(repository, pack);
    const blobs = [one, two].map((plain, i) => ({
      id: hexOf(hashOf(plain)),
      type: "data",
      offset: i * 40,
      length: 40,
    }));
    await addIndex(repository, { packs: [{ id: pack.id, blobs }] });
    const problem = onlyPackProblem(await check(repository), "pack-damaged", pack.id);
    expect(problem.details).toHaveLength(2);
  });

  it("whose blob is sealed but of other content is found", async () => {
    const { sealer } = repository;
    const other = craftPack(sealer, [{ plain: Buffer.from("other content") }]);
    const header = Uint8Array.from(other.header);
    header.set(hashOf(Buffer.from("as promised...")), 5);
    const pack = closePack(sealer, other.bytes.subarray(0, 45), header);
    await storePack(repository, pack);
    const blob = { id: hexOf(hashOf(Buffer.from("as promised..."))), type: "data" };
    await addIndex(repository, {
      packs: [{ id: pack.id, blobs: [{ ...blob, offset: 0, length: 45 }] }],
    });
    const problem = onlyPackProblem(await check(repository), "pack-damaged", pack.id);
    expect(problem.details).toEqual([
      `1 blob is damaged: data ${blob.id}: its content is not what its id says`,
    ]);
  });
});

describe("a store that fails", () => {
  const password = new TextEncoder().encode("crafted");
  const through = async (...faults: ScriptedFault[]): Promise<[Repository, FaultyStore]> => {
    const store = new FaultyStore(repository.store, ...faults);
    return [await Repository.open(store, { password, signal: never }), store];
  };

  it("with one wrong read is told from damage, and counts", async () => {
    const [faulty] = await through({ failAt: 2, fault: "flipped", types: ["data"] });
    const { lines, problems } = await check(faulty);
    expect(lines).toHaveLength(1);
    expect(problems[0]).toMatchObject({ kind: "pack-unstable", harm: { snapshotCount: 0 } });
  });

  it.each(["STORE_BROKEN", "STORE_DENIED", "STORE_NOT_FOUND"] as const)(
    "to read one pack with %s: the pack is named, the rest is checked",
    async (code) => {
      const times = Number.POSITIVE_INFINITY;
      const [faulty, store] = await through({
        failAt: 1,
        times,
        fault: "before",
        code,
        types: ["data"],
        methods: ["load"],
      });
      const { lines } = await check(faulty);
      store.assertConsumed();
      expect(lines).toHaveLength(4);
      expect(lines.every((line) => line.startsWith("pack-damaged"))).toBe(true);
    },
  );

  it("for good ends the check with the store's error, at whichever call", async () => {
    const [counting, counter] = await through();
    await check(counting);
    for (let failAt = 3; failAt <= counter.calls; failAt += 1) {
      const times = Number.POSITIVE_INFINITY;
      const fault = { failAt, times, fault: "before", code: "STORE_UNAVAILABLE" } as const;
      const opening = through(fault);
      const checking = opening.then(async ([faulty]) => await check(faulty));
      await expect(checking, `call ${failAt}`).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    }
  });
});
