import { createCipheriv } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { FakeClock } from "../../platform/fake/fake-clock.ts";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import { TracedStore } from "../../storage/trace/traced-store.ts";
import { addSnapshot, bytesOf, check, flipBit, namesOf } from "../../test/check/check-scene.ts";
import { CraftedRepository, craftNode } from "../../test/repository/crafted-snapshot.ts";
import { Repository } from "../repository/repository.ts";

const mebibyte = 1024 * 1024;
const never = new AbortController().signal;
const password = new TextEncoder().encode("crafted");

/** Bytes that no compressor makes smaller, other ones for each `seed`. */
function noise(length: number, seed: number): Uint8Array {
  const cipher = createCipheriv("aes-256-ctr", Buffer.alloc(32, seed), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(length));
}

let sound: Repository;
/** Packs: of 67 MiB in nine blobs; of two blobs of 17 and 20 MiB; of small blobs; of trees, one of them large. */
let packs: string[] = [];
let snapshot = "";

beforeAll(async () => {
  const crafted = new CraftedRepository();
  const parts = Array.from({ length: 9 }, (_, i) => noise(7.5 * mebibyte, i));
  const nodes = [crafted.file("huge", parts)];
  crafted.nextPack();
  nodes.push(crafted.file("large", [noise(17 * mebibyte, 50)]));
  nodes.push(crafted.file("zeros", [new Uint8Array(20 * mebibyte)]));
  crafted.nextPack();
  nodes.push(crafted.file("small", ["small"]));
  const entries = Array.from({ length: 60_000 }, (_, i) =>
    craftNode({ name: `entry ${String(i).padStart(6, "0")}`, type: "fifo" }),
  );
  nodes.push(crafted.directory("wide", entries));
  nodes.push(crafted.directory("narrow", [craftNode({ name: "one", type: "fifo" })]));
  const root = crafted.tree(nodes);
  sound = await crafted.open();
  snapshot = await addSnapshot(sound, root);
  packs = crafted.packIds;
}, 60_000);

/** A copy of the repository to damage. */
async function copy(): Promise<Repository> {
  const store = new MemoryStore();
  for (const type of ["keys", "data", "index", "snapshots"] as const)
    for (const name of await namesOf(sound.store, type))
      await store.save({ type, name }, await bytesOf(sound.store, type, name), never);
  const config = { type: "config", name: "" } as const;
  await store.save(config, await sound.store.load(config, undefined, never), never);
  return await Repository.open(store, { password, signal: never });
}

describe.each([0, 2])("with %i threads, large packs, blobs and trees", (threads) => {
  it("that are sound have no problems", async () => {
    const { lines, statistics } = await check(sound, { threads });
    expect(lines).toEqual([]);
    expect(statistics).toMatchObject({ packs: 4, packsRead: 4, snapshots: 1 });
  });

  it("are found damaged, each with just what was in the damaged blob", async () => {
    const repository = await copy();
    const trees = (await namesOf(repository.store, "data")).find((name) => !packs.includes(name));
    await flipBit(repository.store, "data", packs[0], 41 * mebibyte);
    await flipBit(repository.store, "data", packs[1], 10 * mebibyte);
    await flipBit(repository.store, "data", packs[2], 20);
    await flipBit(repository.store, "data", trees ?? "", 100);
    const { problems } = await check(repository, { threads });
    const found = problems.map(({ kind, object, details, harm }) => ({
      kind,
      pack: packs.indexOf(object.id),
      first: details[0],
      snapshots: harm.snapshots,
      paths: harm.paths.map(({ path }) => Buffer.from(path).toString()),
    }));
    const expected = [["/wide"], ["/huge"], ["/large"], ["/small"]].map((paths, i) => ({
      kind: "pack-damaged",
      pack: i - 1,
      first: "its content is not what its name says",
      snapshots: [snapshot],
      paths,
    }));
    expect(found.toSorted((a, b) => a.pack - b.pack)).toEqual(expected);
  });

  it("are given up at once when cancelled", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const checking = check(
      sound,
      { threads },
      {
        progress: ({ phase }) => {
          if (phase === "data") controller.abort(reason);
        },
      },
      controller.signal,
    );
    await expect(checking).rejects.toBe(reason);
  });
});

it("no more than the budget is fetched ahead, and every byte but headers once", async () => {
  let [fetching, fetchingMax, fetched] = [0, 0, 0];
  const store = new TracedStore(sound.store, new FakeClock());
  const load = store.load.bind(store);
  store.load = async (handle, range, signal) => {
    if (handle.type !== "data") return await load(handle, range, signal);
    fetching += range?.length ?? 0;
    fetchingMax = Math.max(fetchingMax, fetching);
    const bytes = await load(handle, range, signal);
    fetching -= range?.length ?? 0;
    fetched += bytes.length;
    return bytes;
  };
  const repository = await Repository.open(store, { password, signal: never });
  const { statistics } = await check(repository, { threads: 2 });
  expect(fetchingMax).toBeLessThanOrEqual(256 * mebibyte);
  // The end of large packs is read for their header besides.
  expect(fetched).toBeLessThan(statistics.bytesRead + 4 * 64 * 1024);
});
