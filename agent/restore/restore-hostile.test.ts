/** What a restore does with damaged and hostile repositories. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Handle } from "../../storage/object-store.ts";
import { addSnapshot, check } from "../../test/check/check-scene.ts";
import { CraftedRepository, craftNode } from "../../test/repository/crafted-snapshot.ts";
import { Repository } from "../repository/repository.ts";
import type { Node } from "../repository/tree/node.ts";
import { restoreSnapshot } from "./restore.ts";
import type { RestoreRequest } from "./restore-request.ts";
import type { RestoreSummary } from "./restore-summary.ts";

const signal = new AbortController().signal;
const asRoot = process.geteuid?.() === 0;

let base: string;
let target: string;
let crafted: CraftedRepository;
beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), "backstay-hostile-"));
  target = join(base, "target");
  crafted = new CraftedRepository();
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

const at = (...parts: string[]): string => join(target, ...parts);
const text = (...parts: string[]): string => fs.readFileSync(at(...parts), "utf8");
const everything = (): string[] =>
  (fs.readdirSync(target, { recursive: true }) as string[]).toSorted();
const noise = (bytes: number, seed: number): Buffer => {
  const buffer = Buffer.alloc(bytes);
  for (let i = 0, x = seed; i < bytes; i += 1) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    buffer[i] = x >>> 24;
  }
  return buffer;
};

async function restore(
  tree: Uint8Array,
  options: Partial<RestoreRequest> = {},
): Promise<RestoreSummary> {
  const repository = await crafted.open();
  const path = Buffer.from(target);
  return await restoreSnapshot({ repository, tree, target: path, signal, ...options });
}

async function change(pack: number, edit: (bytes: Uint8Array) => Uint8Array): Promise<void> {
  await crafted.open();
  const handle: Handle = { type: "data", name: crafted.packIds[pack] };
  const bytes = await crafted.store.load(handle, undefined, signal);
  await crafted.store.remove(handle, signal);
  await crafted.store.save(handle, edit(bytes), signal);
}

const problems = (summary: RestoreSummary): string[] =>
  summary.issues.filter(({ severity }) => severity === "error").map(({ path }) => path);

describe("hostile trees", () => {
  it("refuses dangerous names one by one, restores the rest, and then deletes nothing there", async () => {
    fs.mkdirSync(at("d"), { recursive: true });
    fs.writeFileSync(at("mine"), "");
    fs.writeFileSync(at("d", "mine"), "");
    const names = ["", ".", "..", "../escaped", "/etc/escaped", "a/b", "nul\0", "x".repeat(300)];
    const bad = names.flatMap((name) => [
      crafted.file(name, ["evil"]),
      craftNode({ name, type: "symlink", linkTarget: Buffer.from("/") }),
    ]);
    bad.push(crafted.directory("..", [crafted.file("escaped", ["evil"])]));
    const tree = crafted.tree([
      ...bad,
      crafted.file("good", ["good"]),
      crafted.directory("d", [crafted.file("good", ["good"])]),
    ]);
    const summary = await restore(tree, { delete: true, deleteConfirmed: true });
    expect(summary).toMatchObject({ errors: bad.length, entriesRestored: 2 });
    expect(summary.issues.every(({ kind }) => kind === "refused")).toBe(true);
    expect(everything()).toEqual(["d", "d/good", "good", "mine"]);
    expect(fs.readdirSync(base)).toEqual(["target"]);
  });

  it("refuses a dangerous name also when it is asked for by its path", async () => {
    const name = "y".repeat(300);
    const tree = crafted.tree([crafted.file(name, ["long"]), crafted.file("nul\0", ["nul"])]);
    for (const path of [name, "nul\0"]) {
      const summary = await restore(tree, { path: Buffer.from(path) });
      expect(summary).toMatchObject({ entriesTotal: 0, errors: 1 });
      expect(everything()).toEqual([]);
    }
  });

  it("counts every entry once, whatever becomes of it", async () => {
    fs.mkdirSync(target);
    fs.writeFileSync(at("d"), "in the way");
    const missing = craftNode({
      name: "m",
      type: "file",
      content: new Uint8Array(32).fill(9),
      size: 5,
    });
    const tree = crafted.tree([
      crafted.directory("d", [crafted.file("a", ["a"]), crafted.directory("e", [])]),
      missing,
      crafted.file("ok", ["ok"]),
    ]);
    let last = { entriesDone: 0, entriesTotal: 0 };
    const progress = { counts: (counts: typeof last) => (last = counts) };
    const summary = await restore(tree, { overwrite: "never", progress });
    expect(summary).toMatchObject({
      entriesTotal: 5,
      entriesRestored: 1,
      entriesFailed: 4,
      errors: 2,
    });
    expect(last).toMatchObject({ entriesDone: 5, entriesTotal: 5 });
  });

  it("never writes through a symlink that a tree plants first", async () => {
    fs.mkdirSync(join(base, "outside"));
    const link = craftNode({
      name: "evil",
      type: "symlink",
      linkTarget: Buffer.from(join(base, "outside")),
    });
    const folder = crafted.directory("evil", [crafted.file("passwd", ["evil"])]);
    for (const nodes of [
      [link, folder],
      [folder, link],
      [crafted.file("z", ["z"]), link, folder],
    ]) {
      target = join(base, `t${Math.random()}`);
      crafted = new CraftedRepository();
      crafted.file("z", ["z"]);
      crafted.directory("evil", [crafted.file("passwd", ["evil"])]);
      const summary = await restore(crafted.tree(nodes, true));
      expect(problems(summary)).toEqual(["evil"]);
      expect(fs.readdirSync(join(base, "outside"))).toEqual([]);
    }
  });

  it("restores the first of equal names, in whatever order they stand", async () => {
    const nodes = ["b", "a", "b", "c", "a"].map((name, i) => crafted.file(name, [`${i}`]));
    const summary = await restore(crafted.tree(nodes, true));
    expect([text("a"), text("b"), text("c")]).toEqual(["1", "0", "3"]);
    expect(problems(summary).toSorted()).toEqual(["a", "b"]);
  });

  it("ends with a clear error when a tree would unfold into more than memory holds", async () => {
    let tree = crafted.tree([crafted.file("leaf", ["x"])]);
    for (let level = 0; level < 20; level += 1) {
      const subtree = tree;
      const names = Array.from({ length: 10 }, (_, i) => `d${i}`);
      tree = crafted.tree(names.map((name) => craftNode({ name, type: "dir", subtree })));
    }
    const limits = { planBytesMax: 16 * 1024 * 1024, depthMax: 4096 };
    const found: number[] = [];
    const progress = {
      counts: (counts: { entriesTotal: number }) => found.push(counts.entriesTotal),
    };
    await expect(restore(tree, { limits, progress })).rejects.toMatchObject({
      code: "RESTORE_TOO_LARGE",
    });
    expect(everything()).toEqual([]);
  });

  it("stops going down at the depth limit and restores what lies above", async () => {
    let node: Node = crafted.file("bottom", ["x"]);
    for (let level = 0; level < 30; level += 1) node = crafted.directory("d", [node]);
    const tree = crafted.tree([node, crafted.file("z", ["z"])]);
    const summary = await restore(tree, { limits: { planBytesMax: 1e8, depthMax: 20 } });
    expect(summary.errors).toBe(1);
    expect(summary.issues[0].text).toContain("inside each other");
    expect(everything()).toHaveLength(20);
    expect(text("z")).toBe("z");
  });

  it("restores thousands of levels where the limit allows it", async () => {
    let node: Node = crafted.file("bottom", ["deep"]);
    for (let level = 0; level < 1500; level += 1) node = crafted.directory("level", [node]);
    const empty = crafted.tree([]);
    const summary = await restore(crafted.tree([node]), { verify: true });
    expect(summary).toMatchObject({ entriesRestored: 1501, errors: 0, filesVerified: 1 });
    const again = await restore(empty, { delete: true, deleteConfirmed: true });
    expect(again).toMatchObject({ entriesDeleted: 1, errors: 0 });
    expect(everything()).toEqual([]);
  });

  it("reports nodes that lack what their type needs, and lists that are no trees", async () => {
    const tree = crafted.tree([
      craftNode({ name: "no-content", type: "file", content: null }),
      craftNode({ name: "no-tree", type: "dir" }),
      craftNode({ name: "unknown-tree", type: "dir", subtree: new Uint8Array(32).fill(7) }),
      craftNode({ name: "garbage", type: "dir", subtree: crafted.rawTree(Buffer.from("garbage")) }),
      crafted.file("good", ["good"]),
    ]);
    const summary = await restore(tree);
    expect(problems(summary).toSorted()).toEqual([
      "garbage",
      "no-content",
      "no-tree",
      "unknown-tree",
    ]);
    expect(everything()).toEqual(["garbage", "good", "unknown-tree"]);
  });

  it.runIf(asRoot)(
    "reports an owner that is no user, and gives the file to nobody else",
    async () => {
      const summary = await restore(
        crafted.tree([crafted.file("f", ["x"], { uid: 0xffffffff, gid: 5 })]),
      );
      expect(summary).toMatchObject({ errors: 0, warnings: 1 });
      expect(fs.statSync(at("f"))).toMatchObject({ uid: 0, gid: 0 });
    },
  );
});

describe("damaged repositories", () => {
  const parts = (): Buffer[] => [noise(200_000, 1), noise(200_000, 2), noise(200_000, 3)];

  /** A pack of one blob of `many` and all of `lost`, between packs of other things. */
  function makeTree(): Uint8Array {
    const [first, second, third] = parts();
    crafted.blob(first);
    crafted.blob("whole");
    crafted.nextPack();
    crafted.blob(second);
    crafted.blob("lost");
    crafted.nextPack();
    const content = (...pieces: (string | Buffer)[]): Pick<Node, "content" | "size"> => {
      const other = new CraftedRepository();
      return {
        content: Buffer.concat(pieces.map((piece) => other.blob(piece))),
        size: pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0),
      };
    };
    crafted.blob(third);
    return crafted.tree([
      craftNode({ name: "many", type: "file", ...content(first, second, third) }),
      craftNode({ name: "lost", type: "file", ...content("lost") }),
      craftNode({ name: "whole", type: "file", ...content("whole") }),
      craftNode({ name: "all", type: "file", ...content(first, third, "whole") }),
    ]);
  }

  function expectTheRest(summary: RestoreSummary): void {
    const [first, , third] = parts();
    expect(problems(summary).toSorted()).toEqual(["lost", "many"]);
    expect(summary).toMatchObject({ entriesFailed: 2, entriesRestored: 2 });
    expect(everything()).toEqual(["all", "many.backstay-damaged", "whole"]);
    expect(text("whole")).toBe("whole");
    const all = Buffer.concat([first, third, Buffer.from("whole")]);
    expect(fs.readFileSync(at("all")).equals(all)).toBe(true);
    const left = fs.readFileSync(at("many.backstay-damaged"));
    expect(left.equals(Buffer.concat([first, Buffer.alloc(200_000), third]))).toBe(true);
  }

  it("restores everything else when a pack is missing, and names what is hurt", async () => {
    const tree = makeTree();
    await crafted.open();
    await crafted.store.remove({ type: "data", name: crafted.packIds[1] }, signal);
    const summary = await restore(tree);
    expectTheRest(summary);
    expect(summary.issues.map((issue) => issue.text).join()).toContain("is missing");
  });

  it("does so when bits have flipped", async () => {
    const tree = makeTree();
    await change(1, (bytes) =>
      bytes.map((byte, i) => (i % 1000 === 7 || i > bytes.length - 200 ? byte ^ 4 : byte)),
    );
    expectTheRest(await restore(tree, { threads: 2 }));
  });

  it("does so when a pack was emptied", async () => {
    const tree = makeTree();
    await change(1, () => new Uint8Array(10));
    expectTheRest(await restore(tree));
  });

  it("loses only the blob that is damaged, not its neighbours in the pack", async () => {
    const tree = makeTree();
    await change(1, (bytes) => bytes.map((byte, i) => (i === 50_000 ? byte ^ 1 : byte)));
    const summary = await restore(tree);
    expect(problems(summary)).toEqual(["many"]);
    expect(text("lost")).toBe("lost");
  });

  it("uses what a cut-off pack still holds", async () => {
    const tree = makeTree();
    await change(0, (bytes) => bytes.slice(0, -124));
    const summary = await restore(tree);
    expect(problems(summary).toSorted()).toEqual(["all", "whole"]);
    expect(fs.readFileSync(at("many")).equals(Buffer.concat(parts()))).toBe(true);
  });

  describe("whose blobs another pack holds, too", () => {
    const spoils: Record<string, (bytes: Uint8Array) => Uint8Array | undefined> = {
      "has flipped bits": (bytes) => bytes.map((byte) => byte ^ 4),
      "was cut off": (bytes) => bytes.slice(0, 100),
      "is missing": () => undefined,
    };

    it.each(Object.keys(spoils))(
      "are restored whole when one %s, and a check names it",
      async (how) => {
        const [first, second, third] = parts();
        const nodes = [
          crafted.file("many", [first, second, third]),
          crafted.file("small", ["once", "twice"]),
        ];
        crafted.nextPack();
        for (const part of [third, second, "twice", "once", first]) crafted.blob(part);
        const tree = crafted.tree(nodes);
        const opened = await crafted.open();
        await addSnapshot(opened, tree);
        const { store, packIds } = crafted;
        for (const pack of packIds) {
          const told: string[] = [];
          const handle: Handle = { type: "data", name: pack };
          const good = await store.load(handle, undefined, signal);
          const bad = spoils[how](good);
          await store.remove(handle, signal);
          if (bad !== undefined) await store.save(handle, bad, signal);
          const repository = await Repository.open(store, {
            password: new TextEncoder().encode("crafted"),
            damagedPack: (name) => told.push(name),
            signal,
          });
          await repository.loadIndex(signal);
          target = join(base, pack);
          const summary = await restore(tree, { repository });
          expect(summary).toMatchObject({ errors: 0, entriesFailed: 0, entriesRestored: 2 });
          expect(fs.readFileSync(at("many")).equals(Buffer.concat(parts()))).toBe(true);
          expect(text("small")).toBe("oncetwice");
          const used = repository.blobs.packOf(
            repository.blobs.find(nodes[0].content ?? tree, 0, false),
          );
          expect(told).toEqual(repository.blobs.packId(used) === pack ? [pack] : []);
          const { problems: found } = await check(repository);
          expect(found.map(({ object }) => object.id)).toEqual([pack]);
          expect(found.map(({ harm }) => harm.snapshotCount)).toEqual([0]);
          if (bad !== undefined) await store.remove(handle, signal);
          await store.save(handle, good, signal);
        }
      },
    );
  });

  it("restores each file right, or names it, wherever one bit of a pack has flipped", async () => {
    const contents = new Map<string, Buffer>();
    const files = Array.from({ length: 12 }, (_, i) => {
      const pieces = Array.from({ length: i % 4 }, (__, part) => noise(2000 + i, i * 7 + part));
      if (i % 3 === 0) crafted.nextPack();
      contents.set(`d${i % 2}/f${i}`, Buffer.concat(pieces));
      return crafted.file(`f${i}`, pieces);
    });
    const folder = (n: number): Node =>
      crafted.directory(
        `d${n}`,
        files.filter((_, i) => i % 2 === n),
      );
    const tree = crafted.tree([folder(0), folder(1)]);
    await crafted.open();
    const packs: string[] = [];
    for await (const { name } of crafted.store.list("data", signal)) packs.push(name);
    for (let round = 0; round < 24; round += 1) {
      const handle: Handle = { type: "data", name: packs[round % packs.length] };
      const good = await crafted.store.load(handle, undefined, signal);
      const bad = good.slice();
      bad[Math.floor(Math.random() * bad.length)] ^= 1 << Math.floor(Math.random() * 8);
      const put = async (bytes: Uint8Array): Promise<void> => {
        await crafted.store.remove(handle, signal);
        await crafted.store.save(handle, bytes, signal);
      };
      await put(bad);
      target = join(base, `flip-${round}`);
      const summary = await restore(tree).catch((error: unknown) => {
        // The tree of the snapshot itself: then nothing is known.
        expect(error).toMatchObject({ code: "REPOSITORY_DAMAGED" });
        return undefined;
      });
      await put(good);
      if (summary === undefined) continue;
      const named = problems(summary);
      for (const [name, content] of contents) {
        const isNamed = named.some(
          (path) => path === "" || name === path || name.startsWith(`${path}/`),
        );
        if (!isNamed) expect(fs.readFileSync(at(name)).equals(content), name).toBe(true);
        else expect(fs.existsSync(at(name)), name).toBe(false);
      }
    }
  });

  it("leaves a file alone that is there, when none of what it lacks can be had", async () => {
    const tree = makeTree();
    await crafted.open();
    await crafted.store.remove({ type: "data", name: crafted.packIds[1] }, signal);
    fs.mkdirSync(target);
    const [first, , third] = parts();
    const mine = Buffer.concat([first, noise(200_000, 9), third]);
    fs.writeFileSync(at("many"), mine);
    fs.writeFileSync(at("lost"), "mine");
    const summary = await restore(tree);
    expect(problems(summary).toSorted()).toEqual(["lost", "many"]);
    expect(fs.readFileSync(at("many")).equals(mine)).toBe(true);
    expect(text("lost")).toBe("mine");
  });

  it("stops with the store's error when the store itself is out of reach", async () => {
    const tree = makeTree();
    const repository = await crafted.open();
    const { BackstayError } = await import("../../protocol/backstay-error.ts");
    Object.assign(repository.store, {
      load: async () => await Promise.reject(new BackstayError("STORE_UNAVAILABLE")),
    });
    await repository.store.close();
    await expect(restore(tree)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  it("restores a file as far as its blobs go when its size is a lie, and says so", async () => {
    const tree = crafted.tree([
      crafted.file("short", ["12345"], { size: 999 }),
      crafted.file("long", ["12345", "67890"], { size: 3 }),
      crafted.file("none", [], { size: 2 ** 50 }),
    ]);
    const summary = await restore(tree);
    expect(problems(summary).toSorted()).toEqual(["long", "none", "short"]);
    expect([text("short"), text("long"), text("none")]).toEqual(["12345", "1234567890", ""]);
  });

  it("does not make a file one of whose blobs no index knows", async () => {
    const node = crafted.file("f", ["known"]);
    const content = Buffer.concat([node.content ?? Buffer.alloc(0), Buffer.alloc(32, 9)]);
    const tree = crafted.tree([{ ...node, content, size: 10 }, crafted.file("g", ["g"])]);
    const summary = await restore(tree);
    expect(problems(summary)).toEqual(["f"]);
    expect(everything()).toEqual(["g"]);
  });
});
