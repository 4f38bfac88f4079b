import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { decodeSnapshot, encodeSnapshot } from "../../agent/repository/snapshot/snapshot-codec.ts";
import { ByteWriter } from "../../agent/repository/tree/byte-writer.ts";
import type { Node } from "../../agent/repository/tree/node.ts";
import {
  RecordNodeEncoder,
  type RecordNodeFields,
} from "../../agent/repository/tree/node-encoder.ts";
import { decodeTree } from "../../agent/repository/tree/tree-decoder.ts";
import { encodeTree, TreeEncoder } from "../../agent/repository/tree/tree-encoder.ts";
import { openSourceFiles } from "../../platform/open-source-files.ts";
import type { SourceDirectory } from "../../platform/ports/source-files.ts";
import { modeType, statAt, statRecordBytes } from "../../platform/ports/stat-record.ts";
import { LocalStore } from "../../storage/local/local-store.ts";
import { describeWithPeers } from "../peers.ts";
import { cheapenKey } from "../repository/cheap-key.ts";
import { makeTreeSample } from "../repository/tree-sample.ts";

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
const hex = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString("hex");
const nameOf = (node: Node) => Buffer.from(node.name).toString("latin1");

/** One repository that restic made of the sample, in one time zone. */
class ResticRepository {
  readonly #program: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #repository: string;

  private constructor(program: string, repository: string, timeZone: string) {
    this.#program = program;
    this.#repository = repository;
    this.#environment = { ...process.env, RESTIC_PASSWORD: "p", TZ: timeZone };
  }

  static async make(
    program: string,
    repository: string,
    source: string,
    timeZone: string,
  ): Promise<ResticRepository> {
    const made = new ResticRepository(program, repository, timeZone);
    made.run("init");
    await cheapenKey(new LocalStore(repository), "p");
    made.run("backup", source);
    return made;
  }

  run(...words: string[]): Buffer {
    const options = ["--no-cache", "-q", "-r", this.#repository];
    return execFileSync(this.#program, [...options, ...words], {
      env: this.#environment,
      maxBuffer: 1 << 28,
    });
  }

  blob(id: Uint8Array | null): Uint8Array {
    return new Uint8Array(this.run("cat", "blob", hex(id)));
  }

  /** The JSON of the only snapshot. */
  snapshot(): Buffer {
    return this.run("cat", "snapshot", this.run("list", "snapshots").toString().trim());
  }

  /** The tree that the snapshot holds at an absolute path. */
  treeAt(folder: string): Uint8Array {
    let id: Uint8Array | null = decodeSnapshot(this.snapshot()).tree;
    for (const part of folder.split("/").filter((name) => name !== "")) {
      const nodes: Node[] = [...decodeTree(this.blob(id))];
      id = nodes.find((node) => nameOf(node) === part)?.subtree ?? null;
    }
    return this.blob(id);
  }
}

const files = openSourceFiles();
const encoder = new RecordNodeEncoder({
  userName: (uid) => files.userName(uid),
  groupName: (gid) => files.groupName(gid),
});

/** The bytes of the tree of a folder of small files, as the backup makes them, with restic's device numbers. */
function treeOf(directory: SourceDirectory): Uint8Array {
  const { count, names, offsets } = directory.list();
  const out = new ByteWriter();
  const tree = new TreeEncoder(out);
  const record = new Uint8Array(statRecordBytes);
  const view = new DataView(record.buffer);
  tree.begin();
  for (let entry = 0; entry < count; entry += 1) {
    const name = names.slice(offsets[entry], offsets[entry + 1]);
    directory.stat(name, record, 0);
    const type = view.getUint32(statAt.mode, true) & modeType.mask;
    const size = type === modeType.file ? Number(view.getBigUint64(statAt.size, true)) : 0;
    const content = type === modeType.file ? contentOf(directory, name, size) : null;
    const fields: RecordNodeFields = {
      nameBytes: name,
      nameStart: 0,
      nameEnd: name.length,
      record,
      recordOffset: 0,
      size,
      deviceId: Number(view.getBigUint64(statAt.device, true)),
      linkTarget: type === modeType.symlink ? directory.readLink(name) : undefined,
      attributes: directory.extendedAttributes(name),
      content,
      contentStart: 0,
      contentEnd: content?.length ?? 0,
      subtree: type === modeType.directory ? sha256(subtreeOf(directory, name)) : null,
      subtreeOffset: 0,
    };
    tree.addRecord(encoder, fields);
  }
  tree.end();
  return out.copy();
}

function subtreeOf(directory: SourceDirectory, name: Uint8Array): Uint8Array {
  const child = directory.openDirectory(name);
  try {
    return treeOf(child);
  } finally {
    child.close();
  }
}

function contentOf(directory: SourceDirectory, name: Uint8Array, size: number): Uint8Array {
  if (size === 0) return new Uint8Array(0);
  const file = files.openFile(directory.token, name);
  const bytes = new Uint8Array(size);
  file.read(bytes, 0, size, 0);
  file.close();
  return sha256(bytes);
}

describeWithPeers("trees of restic", ["restic014", "restic018"], ({ restic014, restic018 }) => {
  const home = realpathSync(mkdtempSync(path.join(os.tmpdir(), "backstay-trees-")));
  const source = path.join(home, "source");
  let repository: ResticRepository;
  let tree: Uint8Array;

  beforeAll(async () => {
    makeTreeSample(source);
    repository = await ResticRepository.make(restic018, path.join(home, "utc"), source, "UTC");
    tree = repository.treeAt(source);
  });
  afterAll(() => {
    rmSync(home, { recursive: true, force: true });
  });

  it("are what we write from the same folder, byte for byte", () => {
    const root = files.openDirectory(Buffer.from(source));
    const ours = treeOf(root);
    root.close();
    expect(lines(ours)).toEqual(lines(tree));
    expect(hex(sha256(ours))).toBe(hex(sha256(tree)));
  });

  it("come out the same when they are read and written again", () => {
    const ids = repository
      .run("list", "blobs")
      .toString()
      .matchAll(/^tree ([0-9a-f]{64})$/gm);
    let count = 0;
    for (const [, id] of ids) {
      const bytes = repository.blob(Buffer.from(id, "hex"));
      const again = encodeTree(new ByteWriter(), decodeTree(bytes));
      expect(lines(again)).toEqual(lines(bytes));
      expect(hex(sha256(again))).toBe(id);
      count += 1;
    }
    expect(count).toBeGreaterThan(5);
  });

  it("hold the same nodes when another version wrote them", async () => {
    const older = await ResticRepository.make(restic014, path.join(home, "older"), source, "UTC");
    // Version 0.14 has no raw link targets.
    const readable = (node: Node) => nameOf(node) !== "link with bytes";
    const nodes = [...decodeTree(older.treeAt(source))];
    expect(nodes.filter(readable)).toEqual([...decodeTree(tree)].filter(readable));
    expect(nodes).toHaveLength([...decodeTree(tree)].length);
  });

  it("hold the same instants when they were written with another time zone", async () => {
    const folder = path.join(home, "east");
    const eastern = await ResticRepository.make(restic018, folder, source, "Asia/Kolkata");
    const bytes = eastern.treeAt(source);
    expect(Buffer.from(bytes).toString()).toContain('+05:30"');
    // The trees below have other bytes, and so other ids.
    const apart = (nodes: Iterable<Node>) => [...nodes].map((node) => ({ ...node, subtree: null }));
    expect(apart(decodeTree(bytes))).toEqual(apart(decodeTree(tree)));
  });

  it("belong to snapshots that come out the same, too", () => {
    const text = repository.snapshot();
    const stored = JSON.parse(text.toString()) as unknown;
    const snapshot = decodeSnapshot(text);
    const again = Buffer.from(encodeSnapshot(snapshot)).toString();
    expect(again).toBe(JSON.stringify(stored));
  });
});

/** A tree's text with a line for each node, so that a difference is easy to see. */
function lines(bytes: Uint8Array): string[] {
  return Buffer.from(bytes).toString("latin1").split('},{"name"');
}
