import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { BackupScene } from "../../test/backup/backup-scene.ts";
import { differences } from "../../test/backup/snapshot-compare.ts";
import { assertWhole } from "../../test/backup/whole-repository.ts";
import { sha256 } from "../repository/crypto/sealed-bytes.ts";
import { idFromHex, idToHex } from "../repository/id.ts";
import { readPackHeader } from "../repository/pack/pack-reader.ts";
import { encodeUnpacked } from "../repository/unpacked-file.ts";

const never = new AbortController().signal;
let scene: BackupScene;

afterEach(() => scene?.remove());

async function newScene(): Promise<void> {
  scene = await BackupScene.create();
  for (let i = 0; i < 60; i += 1) scene.write(`d${i % 6}/f${i}`, `content of ${i}`);
  scene.write("large", Buffer.alloc(1_500_000, "wide "));
}

/** The folder with catalogs and journals. */
function memoryFolder(): string {
  const [repository] = readdirSync(scene.cacheRoot).filter((name) => /^[0-9a-f]{64}$/.test(name));
  return path.join(scene.cacheRoot, repository ?? "", "sources");
}

function catalogFile(): string {
  const [name] = readdirSync(memoryFolder()).filter((entry) => entry.endsWith(".catalog"));
  return path.join(memoryFolder(), name ?? "");
}

describe("what a run remembers of the one before", { timeout: 120_000 }, () => {
  it("is one catalog, and no journal once a snapshot is saved", async () => {
    await newScene();
    const first = await scene.backup();
    const left = readdirSync(memoryFolder());
    expect(left).toHaveLength(1);
    expect(left[0]).toMatch(/^[0-9a-f]{32}\.catalog$/);
    expect(readFileSync(catalogFile()).includes(idFromHex(first.snapshot))).toBe(true);
  });

  it("is made of the parent's trees where it is lost, was another's, or is cut or damaged", async () => {
    await newScene();
    await scene.backup();
    const harms: (() => void)[] = [
      () => rmSync(catalogFile()),
      () => writeFileSync(catalogFile(), readFileSync(catalogFile()).subarray(0, -1)),
      () => flip(catalogFile(), readFileSync(catalogFile()).length - 50),
    ];
    for (const harm of harms) {
      harm();
      const next = await scene.backup();
      expect(next).toMatchObject({ filesUnmodified: 61, filesNew: 0, bytesRead: 0, dataBlobs: 0 });
      const repository = await scene.open(scene.store, true);
      expect(await differences(await loaded(repository), next.snapshot, scene.source)).toEqual([]);
    }
  });

  it("does without a cache at all", async () => {
    await newScene();
    await scene.backup({ withoutCache: true });
    const second = await scene.backup({ withoutCache: true });
    expect(second).toMatchObject({ filesUnmodified: 61, bytesRead: 0 });
    expect(readdirSync(scene.folder).sort()).toEqual(["source"]);
  });

  it("never leads to a wrong snapshot, whatever byte of it is flipped", async () => {
    await newScene();
    await scene.backup();
    const length = readFileSync(catalogFile()).length;
    for (let round = 0; round < 4; round += 1) {
      flip(catalogFile(), Math.floor(((round + 0.5) * length) / 4));
      scene.write("d1/f1", `changed ${round}`);
      const next = await scene.backup();
      const repository = await loaded(await scene.open(scene.store, true));
      expect(await differences(repository, next.snapshot, scene.source)).toEqual([]);
    }
  });
});

describe("a blob that the index does not know any more", { timeout: 120_000 }, () => {
  it("is stored again from the file that had it", async () => {
    await newScene();
    await scene.backup();
    await forgetBlob(scene, Buffer.from("content of 17"));
    const second = await scene.backup();
    expect(second).toMatchObject({ filesChanged: 1, bytesRead: 13, dataBlobs: 1 });
    await assertWhole(await scene.open(scene.store, true), { readsData: true });
  });

  it("is stored again if it is a tree", async () => {
    await newScene();
    const first = await scene.backup();
    await keepInIndex(scene, (blob) => !blob.isTree);
    const second = await scene.backup();
    expect(second.treeBlobs).toBeGreaterThanOrEqual(7);
    expect(second.filesUnmodified + second.filesNew + second.filesChanged).toBe(61);
    // Folders above the source have changed meanwhile: the first snapshot stays hurt.
    await scene.store.remove({ type: "snapshots", name: first.snapshot }, never);
    const facts = await assertWhole(await scene.open(scene.store, true), { readsData: true });
    expect(facts.snapshots).toEqual([second.snapshot]);
  });
});

async function loaded<R extends { loadIndex(signal: AbortSignal): Promise<void> }>(
  repository: R,
): Promise<R> {
  await repository.loadIndex(never);
  return repository;
}

function flip(file: string, offset: number): void {
  const byte = readFileSync(file)[offset];
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, Uint8Array.of(byte ^ 0x10), 0, 1, offset);
  closeSync(descriptor);
}

async function forgetBlob(target: BackupScene, content: Uint8Array): Promise<void> {
  const repository = await target.open();
  const id = idToHex(sha256(repository.sealer.codec, content));
  await keepInIndex(target, (blob) => idToHex(blob.id) !== id);
}

/** Rewrites the index without some blobs: a repository that lost them. */
async function keepInIndex(
  target: BackupScene,
  isKept: (blob: { id: Uint8Array; isTree: boolean }) => boolean,
): Promise<void> {
  const repository = await target.open();
  const { store, sealer } = repository;
  const lines: { id: string; blobs: object[] }[] = [];
  for await (const { name, size } of store.list("data", never)) {
    const { blobs } = await readPackHeader(store, sealer, name, size, never);
    lines.push({
      id: name,
      blobs: blobs.filter(isKept).map((blob) => ({
        id: idToHex(blob.id),
        type: blob.isTree ? "tree" : "data",
        offset: blob.offset,
        length: blob.length,
        ...(blob.plainLength > 0 ? { uncompressed_length: blob.plainLength } : {}),
      })),
    });
  }
  for await (const { name } of store.list("index", never))
    await store.remove({ type: "index", name }, never);
  const json = new TextEncoder().encode(JSON.stringify({ packs: lines }));
  const stored = encodeUnpacked(sealer, json, 2);
  const name = idToHex(sha256(sealer.codec, stored));
  await store.save({ type: "index", name }, stored, never);
}
