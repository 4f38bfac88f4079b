/** Directories whose tree is too long for a shared pack: names of control characters make few entries enough. */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { MessageChannel } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { openCodec } from "../../platform/open-codec.ts";
import { openSourceFiles } from "../../platform/open-source-files.ts";
import { BackupScene, type SceneBackup } from "../../test/backup/backup-scene.ts";
import { differences } from "../../test/backup/snapshot-compare.ts";
import { assertWhole } from "../../test/backup/whole-repository.ts";
import { craftedKey } from "../../test/repository/crafted-packs.ts";
import { blobBytesMax } from "../repository/blob/blob-opener.ts";
import { EncodedBytes } from "../repository/encoded-bytes.ts";
import { BlobTable } from "../repository/index/blob-table.ts";
import { PackAssembler } from "../repository/pack/pack-assembler.ts";
import { type DirectoryState, entryKind } from "./scan/directory-state.ts";
import type { FileReading } from "./scan/read-files.ts";
import { type ScanIssue, ScanReport } from "./scan/scan-report.ts";
import { Scanner } from "./scan/scanner.ts";
import { targetTree } from "./scan/target-tree.ts";
import { type SavedTree, TreeSaver } from "./scan/tree-saver.ts";
import { PackExchange } from "./seal/pack-exchange.ts";
import { Selection } from "./select/selection.ts";
import { SessionMemory } from "./work/session-memory.ts";

const entries = 7000;
const minute = 60_000;
let scene: BackupScene;

afterEach(() => scene?.remove());

const nameOf = (i: number): string => `${i}`.padStart(5, "0") + "\x01".repeat(250);

async function newScene(): Promise<void> {
  scene = await BackupScene.create();
  for (let i = 0; i < entries; i += 1)
    scene.write(`huge/${nameOf(i)}`, i % 1000 === 7 ? `${i}` : "");
  scene.write("other/file", "text");
}

async function expectExact(backup: SceneBackup): Promise<void> {
  const repository = await scene.open(scene.store, true);
  await assertWhole(repository, { readsData: true });
  expect(await differences(repository, backup.snapshot, scene.source)).toEqual([]);
}

function catalogFile(): string {
  const [repository] = readdirSync(scene.cacheRoot).filter((name) => /^[0-9a-f]{64}$/.test(name));
  const folder = path.join(scene.cacheRoot, repository ?? "", "sources");
  const [name] = readdirSync(folder).filter((entry) => entry.endsWith(".catalog"));
  return path.join(folder, name ?? "");
}

describe("a directory of very many entries", { timeout: 5 * minute }, () => {
  it("is stored once, as a tree in a pack of its own, and followed when it changes", async () => {
    await newScene();
    const first = await scene.backup();
    expect(first.dataAdded).toBeGreaterThan(8 * 1024 * 1024);
    expect(first.dataAddedPacked).toBeLessThan(first.dataAdded / 5);
    await expectExact(first);

    const second = await scene.backup();
    expect(second).toMatchObject({ filesUnmodified: entries + 1, dirsNew: 0, dataBlobs: 0 });
    expect(second.dataAdded).toBeLessThan(10_000);
    await expectExact(second);

    renameSync(scene.at(`huge/${nameOf(3000)}`), scene.at("huge/renamed"));
    scene.write(`huge/${nameOf(5)}`, "other text");
    const third = await scene.backup();
    expect(third).toMatchObject({ filesNew: 1, filesChanged: 1, filesUnmodified: entries - 1 });
    await expectExact(third);

    // The tree is made again, and found in the repository at its end.
    rmSync(catalogFile());
    const fourth = await scene.backup({ parent: "none" });
    expect(fourth).toMatchObject({ filesNew: entries + 1, dataBlobs: 0 });
    // Folders above the source may have changed meanwhile, which are shared with others.
    expect(fourth.dataAdded).toBeLessThan(10_000);
    await expectExact(fourth);
  });

  it("is compared with the parent's tree where there is no catalog", async () => {
    await newScene();
    const first = await scene.backup();
    rmSync(catalogFile());
    rmSync(scene.at(`huge/${nameOf(6000)}`));
    const second = await scene.backup();
    expect(second).toMatchObject({ parentId: first.snapshot, filesNew: 0, bytesRead: 0 });
    expect(second.filesUnmodified).toBe(entries);
    await expectExact(second);
  });

  it("is looked at as changed where a later part of its catalog is damaged", async () => {
    await newScene();
    await scene.backup();
    const whole = readFileSync(catalogFile());
    const at = whole.indexOf(nameOf(entries - 5));
    expect(at).toBeGreaterThan(2_000_000);
    whole[at] ^= 1;
    writeFileSync(catalogFile(), whole);
    for (let i = entries - 1; i > entries - 100; i -= 1) rmSync(scene.at(`huge/${nameOf(i)}`));
    const second = await scene.backup();
    await expectExact(second);
    expect(second.filesUnmodified).toBeGreaterThan(entries / 2);
  });
});

describe("a directory of too many entries", { timeout: minute }, () => {
  it("is left out and named, and everything else goes on", async () => {
    await newScene();
    const { scanner, issues, saved } = scannerOf();
    scanner.walk(targetOf(scene.source));
    expect(issues).toHaveLength(1);
    expect(Buffer.from(issues[0].path).toString()).toBe(scene.at("huge"));
    expect(issues[0].code).toBe("DIRECTORY_TOO_LARGE");
    expect(issues[0].message).toMatch(/entries: 7000.*Spread its entries/);
    expect(scanner.result).toBeDefined();
    expect(saved.get(scene.at("other"))).toEqual(["file"]);
    expect(saved.get(scene.source)).toEqual(["other"]);
  });

  it("ends the backup if it was asked for itself", async () => {
    await newScene();
    expect(() => scannerOf().scanner.walk(targetOf(scene.at("huge")))).toThrow(
      expect.objectContaining({
        code: "DIRECTORY_TOO_LARGE",
        context: { directory: scene.at("huge"), entries },
      }),
    );
  });
});

function targetOf(place: string): ReturnType<typeof targetTree> {
  return targetTree([new Uint8Array(Buffer.from(place))], new Uint8Array(Buffer.from("/")));
}

/** A scan for which large trees are almost as long as any may be; `saved` are the names in each tree. */
function scannerOf(): {
  scanner: Scanner;
  issues: ScanIssue[];
  saved: Map<string, string[]>;
} {
  const issues: ScanIssue[] = [];
  const saved = new Map<string, string[]>();
  const codec = openCodec();
  const files = openSourceFiles();
  const table = BlobTable.create(100);
  const counters = new SessionMemory(1).counters(0);
  const main = { port: new MessageChannel().port1, wake: new Int32Array(new SharedArrayBuffer(4)) };
  class LongTree extends EncodedBytes {
    override get plainLength(): number {
      return blobBytesMax - 9_000_000 + super.plainLength;
    }
  }
  class Packs extends PackExchange {
    override startLargeTree(): EncodedBytes {
      return new LongTree(codec, 1);
    }
  }
  class Saver extends TreeSaver {
    override save(state: DirectoryState): SavedTree {
      const tree = super.save(state);
      const names: string[] = [];
      for (let i = 0; i < state.count; i += 1)
        if (state.kinds[i] !== entryKind.absent)
          names.push(Buffer.from(state.nameOf(i)).toString());
      saved.set(Buffer.from(state.path).toString(), names);
      return tree;
    }
  }
  const assembler = new PackAssembler(craftedKey, "auto", codec);
  const awaitMemory = (): void => undefined;
  const packs = new Packs({ thread: 0, main, assembler, table, counters, awaitMemory });
  const onIssue = (): void => undefined;
  const saver = new Saver({ codec, table, packs, catalog: undefined, files, onIssue });
  const options = { patterns: [], markers: [], oneFileSystem: false, ownPlaces: [] };
  const scanner = new Scanner({
    files,
    selection: new Selection(options, []),
    catalog: undefined,
    table,
    // Every file counts as read, and empty.
    reading: { read: () => false } as unknown as FileReading,
    saver,
    report: new ScanReport((told) => {
      if (told.kind === "issue") issues.push(told);
    }),
    counters,
    notes: undefined,
    breathe: () => undefined,
    settle: () => false,
  });
  return { scanner, issues, saved };
}
