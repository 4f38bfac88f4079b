/** Packs that lie in an archive are found before anything is restored. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { MemoryStore } from "../../../storage/memory/memory-store.ts";
import type { ByteRange, Handle } from "../../../storage/object-store.ts";
import { CraftedRepository } from "../../../test/repository/crafted-snapshot.ts";
import type { Repository } from "../../repository/repository.ts";
import { restoreSnapshot } from "../restore.ts";
import type { RestoreRequest } from "../restore-request.ts";
import type { RestoreSummary } from "../restore-summary.ts";
import type { ColdPacks } from "./cold-packs.ts";

/** Some of its packs lie in an archive. */
class ArchiveStore extends MemoryStore {
  readonly archived = new Set<string>();
  looks = 0;

  override async load(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    if (range?.length === 1) this.looks += 1;
    if (this.archived.has(handle.name)) throw new BackstayError("STORE_ARCHIVED");
    return await super.load(handle, range, signal);
  }
}

let target: string;
let store: ArchiveStore;
let crafted: CraftedRepository;
beforeEach(() => {
  target = join(mkdtempSync(join(tmpdir(), "backstay-cold-")), "target");
  store = new ArchiveStore();
  crafted = new CraftedRepository(store);
});
afterEach(() => rmSync(join(target, ".."), { recursive: true, force: true }));

/** As many files as that, each in a pack of its own. */
async function filesInPacks(
  count: number,
): Promise<{ tree: Uint8Array; repository: Repository; packs: readonly string[] }> {
  const nodes = [];
  for (let i = 0; i < count; i += 1) {
    nodes.push(crafted.file(`f${i}`, [`content ${i}`]));
    crafted.nextPack();
  }
  const tree = crafted.tree(nodes);
  const repository = await crafted.open();
  return { tree, repository, packs: crafted.packIds };
}

async function restore(
  repository: Repository,
  tree: Uint8Array,
  coldPacks: RestoreRequest["coldPacks"],
): Promise<RestoreSummary> {
  const { signal } = new AbortController();
  const place = Buffer.from(target);
  return await restoreSnapshot({
    repository,
    tree,
    target: place,
    signal,
    ...(coldPacks !== undefined && { coldPacks }),
  });
}

it("tells which, and restores nothing if that is refused", async () => {
  const { tree, repository, packs } = await filesInPacks(3);
  store.archived.add(packs[1]);
  let found: ColdPacks | undefined;
  const refusal = new BackstayError("STORE_ARCHIVED");
  const restoring = restore(repository, tree, (cold) => {
    found = cold;
    throw refusal;
  });
  await expect(restoring).rejects.toBe(refusal);
  expect(found).toEqual({ cold: [packs[1]], looked: 3, needed: 3 });
  expect(existsSync(join(target, "f0"))).toBe(false);
});

it("restores what needs none of them, and says of the rest why not", async () => {
  const { tree, repository, packs } = await filesInPacks(3);
  store.archived.add(packs[1]);
  const { errors, issues } = await restore(repository, tree, () => undefined);
  expect(readFileSync(join(target, "f2"), "utf8")).toBe("content 2");
  expect(errors).toBe(1);
  expect(issues[0].text).toContain("lies in an archive");
});

it("looks at few where none is, and at nothing if nobody wants to know", async () => {
  const { tree, repository } = await filesInPacks(100);
  await restore(repository, tree, undefined);
  expect(store.looks).toBe(0);
  await restore(repository, tree, () => expect.unreachable());
  expect(store.looks).toBe(16);
});
