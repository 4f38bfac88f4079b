/** What a check says of repositories that restic or Backstay made, sound and damaged, beside what restic's own check says. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Repository } from "../../agent/repository/repository.ts";
import type { Node } from "../../agent/repository/tree/node.ts";
import { LocalStore } from "../../storage/local/local-store.ts";
import { makeAwkwardTree } from "../awkward-tree.ts";
import { addSnapshot, type Checked, check, pathsOf } from "../check/check-scene.ts";
import { describeWithPeers } from "../peers.ts";
import { backstayOn, type RepositoryProgram, resticOn } from "../programs.ts";
import { cheapenKey } from "../repository/cheap-key.ts";
import { CraftedRepository, craftNode } from "../repository/crafted-snapshot.ts";

const { signal } = new AbortController();
const password = "correct horse";
const folder = mkdtempSync(path.join(tmpdir(), "check-interop-"));
const place = (...names: string[]): string => path.join(folder, ...names);
const source = place("source");

beforeAll(() => {
  makeAwkwardTree(source, { wideEntries: 3000, largestBytes: 8 * 1024 * 1024 });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Makes a repository that is cheap to open. */
async function init(made: RepositoryProgram, name: string, ...args: string[]): Promise<void> {
  await made.succeed("init", ...args);
  await cheapenKey(new LocalStore(place(name)), password);
}

async function open(name: string): Promise<Repository> {
  const store = new LocalStore(place(name));
  return await Repository.open(store, { password: new TextEncoder().encode(password), signal });
}

/** The files of a type in a repository's folder, by their paths. */
function filesOf(repository: string, type: string): string[] {
  const root = place(repository, type);
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .toSorted();
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at < 0 ? bytes.length + at : at] ^= 0x10;
  rmSync(file, { force: true });
  writeFileSync(file, bytes);
}

function expectSound(checked: Checked): void {
  expect(checked.lines).toEqual([]);
  expect(checked).toMatchObject({ problemCount: 0, hints: [] });
}

describeWithPeers("a repository", ["restic014", "restic018"], (peers) => {
  const restic = (version: keyof typeof peers, repository: string) =>
    resticOn(peers[version], { repository: place(repository), password });
  const makers = [
    { name: "0.14-v1", program: "restic014", version: ["--repository-version", "1"] },
    { name: "0.14-v2", program: "restic014", version: ["--repository-version", "2"] },
    { name: "0.18-v1", program: "restic018", version: ["--repository-version", "1"] },
    { name: "0.18-v2", program: "restic018", version: [] },
  ] as const;

  describe.each(makers)("made by restic $name", ({ name, program, version }) => {
    beforeAll(async () => {
      const made = restic(program, name);
      await init(made, name, ...version);
      // Packs of 4 MiB, so that there are several; 0.14 leaves broken names out and says so.
      await made.run("backup", "--pack-size", "4", source);
      await made.run("backup", "--pack-size", "4", path.join(source, "..", "source"), "--force");
    });

    it("is sound, with duplicates or without", async () => {
      const repository = await open(name);
      const checked = await check(repository);
      expectSound(checked);
      expect(checked.statistics.snapshots).toBe(2);
      expect(checked.statistics.trees).toBeGreaterThan(20);
      expectSound(await check(repository, { threads: 2 }));
      expectSound(await check(repository, { readData: { kind: "none" } }));
    });

    it("with a flipped bit in any kind of file is found damaged", async () => {
      for (const type of ["data", "index", "snapshots", "keys"]) {
        const damaged = `${name}-${type}`;
        cpSync(place(name), place(damaged), { recursive: true });
        await open(damaged);
        const file = filesOf(damaged, type)[0];
        flip(file, 60);
        const checked = await check(await open(damaged)).catch((error: unknown) => error);
        const named = JSON.stringify(checked);
        // The key that was hit may be the one that opens.
        expect(named).toMatch(new RegExp(`${path.basename(file)}|KEY_UNUSABLE`));
        rmSync(place(damaged), { recursive: true });
      }
    });
  });

  it("made by Backstay is sound, again after a second backup and after restic's prune", async () => {
    const made = backstayOn({ repository: place("ours"), password });
    await init(made, "ours");
    await made.succeed("backup", source);
    expectSound(await check(await open("ours")));
    writeFileSync(place("source", "new file"), "new content");
    await made.succeed("backup", source);
    const checked = await check(await open("ours"));
    expectSound(checked);
    expect(checked.statistics.snapshots).toBe(2);
    expectSound(await check(await open("ours"), { threads: 2 }));
    await restic("restic018", "ours").succeed("forget", "latest", "--prune", "--max-unused", "0");
    expectSound(await check(await open("ours")));
  });

  it("with blobs in several packs is sound", async () => {
    const inner = place("source", "wide");
    const made = restic("restic018", "doubled");
    await init(made, "doubled");
    cpSync(place("doubled"), place("other"), { recursive: true });
    await made.succeed("backup", inner);
    await restic("restic018", "other").succeed("backup", inner);
    for (const type of ["data", "index", "snapshots"])
      cpSync(place("other", type), place("doubled", type), { recursive: true });
    await made.succeed("check", "--read-data");
    const checked = await check(await open("doubled"));
    expectSound(checked);
    expect(checked.statistics.duplicateBlobs).toBeGreaterThan(10);
  });

  describe("that is damaged is found so by both checks", () => {
    const packsOf = (name: string): string[] => filesOf(name, "data");
    const damages: [string, (name: string) => void][] = [
      ["a pack is gone", (name) => rmSync(packsOf(name)[0])],
      ["a pack is empty", (name) => truncateSync(packsOf(name)[0], 0)],
      ["all packs are empty", (name) => packsOf(name).map((pack) => truncateSync(pack, 0))],
      ["a pack is cut", (name) => truncateSync(packsOf(name)[0], 1000)],
      ["a pack has a flipped bit", (name) => flip(packsOf(name)[0], 100)],
      ["a header has a flipped bit", (name) => flip(packsOf(name)[0], -20)],
      [
        "two packs changed places",
        (name) => {
          const [first, second] = packsOf(name);
          const bytes = readFileSync(first);
          cpSync(second, first);
          writeFileSync(second, bytes);
        },
      ],
      ["an index file is gone", (name) => rmSync(filesOf(name, "index")[0])],
      ["an index file is empty", (name) => truncateSync(filesOf(name, "index")[0], 0)],
      ["a snapshot is cut", (name) => truncateSync(filesOf(name, "snapshots")[0], 40)],
    ];

    it.each(damages)("%s", async (_, damage) => {
      const name = "damaged";
      rmSync(place(name), { recursive: true, force: true });
      cpSync(place("0.18-v2"), place(name), { recursive: true });
      await open(name);
      for (const file of filesOf(name, "data")) expect(path.basename(file)).toHaveLength(64);
      damage(name);
      const theirs = await restic("restic018", name).run("check", "--read-data");
      expect(theirs.exitCode).not.toBe(0);
      const ours = await check(await open(name));
      expect(ours.problemCount).toBeGreaterThan(0);
      expect(ours.problems.some(({ harm }) => harm.isComplete)).toBe(true);
    });
  });

  it("with a lost pack: exactly the files that restic can't restore are named", async () => {
    const name = "lost";
    const made = restic("restic018", name);
    await init(made, name);
    const wide = place("many");
    mkdirSync(wide);
    for (let i = 0; i < 60; i += 1)
      writeFileSync(path.join(wide, `file${i}`), Buffer.alloc(200_000, `${i} `.repeat(i)));
    for (let i = 0; i < 60; i += 1)
      writeFileSync(path.join(wide, `noise${i}`), readNoise(i, 200_000));
    await made.succeed("backup", "--pack-size", "4", wide);
    const [pack] = filesOf(name, "data").filter((file) => readFileSync(file).length > 4_000_000);
    rmSync(pack);
    const { problems } = await check(await open(name));
    expect(problems).toMatchObject([{ kind: "pack-missing" }]);
    const target = place("restored");
    await made.run("restore", "latest", "--target", target);
    const lost = readdirSync(wide).filter((file) => {
      const restored = path.join(target, wide, file);
      return !isSame(path.join(wide, file), restored);
    });
    expect(lost.length).toBeGreaterThan(3);
    expect(pathsOf(problems[0])).toEqual(lost.map((file) => path.join(wide, file)).toSorted());
    expect(problems[0].harm).toMatchObject({ pathCount: lost.length, snapshotCount: 1 });
  });

  describe("with faults that restic's check passes over", () => {
    const faults: [string, string, (crafted: CraftedRepository) => Node[]][] = [
      ["a wrong size", "file-size", (crafted) => [crafted.file("f", ["abc"], { size: 5 })]],
      ["names out of order", "node-order", () => ["b", "a"].map(fifo)],
      ["a name twice", "node-duplicate", () => ["a", "a"].map(fifo)],
      ["a name with a slash", "node-name", () => [fifo("a/b")]],
      ["a name that leads upwards", "node-name", () => [fifo("..")]],
    ];
    it.each(faults)("finds %s", async (text, kind, make) => {
      const name = text.replaceAll(" ", "-");
      const crafted = new CraftedRepository(new LocalStore(place(name)));
      const root = crafted.tree(make(crafted), true);
      const repository = await crafted.open();
      await addSnapshot(repository, root);
      for (const peer of [peers.restic014, peers.restic018]) {
        const program = resticOn(peer, { repository: place(name), password: "crafted" });
        await program.succeed("check", "--read-data");
      }
      expect((await check(repository)).problems).toMatchObject([{ kind }]);
    });
  });
});

function fifo(name: string): Node {
  return craftNode({ name, type: "fifo" });
}

/** Bytes that do not compress, other ones for each seed. */
function readNoise(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed + 1;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function isSame(first: string, second: string): boolean {
  try {
    return readFileSync(first).equals(readFileSync(second));
  } catch {
    return false;
  }
}
