/** Repositories, keys and locks that restic and we make, each read, checked and respected by the other. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { IndexWriter } from "../../agent/repository/index/index-writer.ts";
import {
  addKey,
  changePassword,
  listKeys,
  openMasterKey,
} from "../../agent/repository/key/key-ring.ts";
import { listLocks, removeLocks } from "../../agent/repository/lock/lock-list.ts";
import { PackAssembler, packBufferBytesFor } from "../../agent/repository/pack/pack-assembler.ts";
import { Repository } from "../../agent/repository/repository.ts";
import { snapshotTime } from "../../agent/repository/snapshot/snapshot.ts";
import { encodeSnapshot } from "../../agent/repository/snapshot/snapshot-codec.ts";
import { ByteWriter } from "../../agent/repository/tree/byte-writer.ts";
import { encodeTree } from "../../agent/repository/tree/tree-encoder.ts";
import { openStore } from "../../storage/open-store.ts";
import { assertWhole } from "../backup/whole-repository.ts";
import { describeWithPeers } from "../peers.ts";
import { resticOn } from "../programs.ts";
import { hashOf, hexOf } from "../repository/crafted-packs.ts";
import { craftNode } from "../repository/crafted-snapshot.ts";

const { signal } = new AbortController();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const password = "correct horse";
/** Cheap to derive, so that each run of restic starts quickly. */
const scrypt = { N: 1024, r: 8, p: 1 };
const folder = mkdtempSync(path.join(tmpdir(), "repository-interop-"));
const place = (name: string): string => path.join(folder, name);
const open = (name: string, with_ = password, cacheRoot?: string) =>
  Repository.open(openStore(place(name)), { password: text(with_), signal, cacheRoot });

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** What the repositories of restic are made of: chunks, text, nothing, and many names. */
function makeSource(): string {
  const source = place("source");
  mkdirSync(path.join(source, "folder", "deep", "empty"), { recursive: true });
  writeFileSync(path.join(source, "large"), randomBytes(5_000_000));
  writeFileSync(path.join(source, "zeros"), Buffer.alloc(3_000_000));
  writeFileSync(path.join(source, "nothing"), "");
  for (let i = 0; i < 200; i += 1)
    writeFileSync(path.join(source, "folder", `${i}.txt`), `text of file ${i}\n`.repeat(i));
  writeFileSync(path.join(source, "folder", "deep", 'quote"back\\slash'), "x");
  return source;
}

describeWithPeers("a repository made by restic", ["restic014", "restic018"], (peers) => {
  let source: string;
  beforeAll(() => {
    source = makeSource();
  });

  const makers = [
    { name: "0.14-v1", restic: peers.restic014, version: 1, options: [] },
    { name: "0.14-v2", restic: peers.restic014, version: 2, options: ["--compression", "max"] },
    { name: "0.18-v1", restic: peers.restic018, version: 1, options: [] },
    { name: "0.18-v2", restic: peers.restic018, version: 2, options: [] },
  ];
  it.each(makers)("opens, and every tree and blob of it is right: $name", async (maker) => {
    const { name, restic, version, options } = maker;
    const program = resticOn(restic, { repository: place(name), password });
    await program.output("init", "--repository-version", `${version}`);
    await program.output("backup", "--pack-size", "4", ...options, source);
    const { store, masterKey } = await open(name);
    // Their own key takes a second each time.
    await addKey(store, masterKey, text("cheap"), signal, scrypt);
    for (const cacheRoot of [undefined, place("cache"), place("cache")]) {
      const repository = await open(name, "cheap", cacheRoot);
      expect(repository.version).toBe(version);
      if (version === 1) expect(() => repository.assertWritable()).toThrow();
      const facts = await assertWhole(repository, { readsData: true });
      expect(facts.snapshots).toHaveLength(1);
      expect(facts.packs).toBeGreaterThan(1);
      expect(facts.orphans).toBe(0);
    }
  });
});

describeWithPeers("a repository that we made", ["restic014", "restic018"], (peers) => {
  const name = "ours";
  const programs = [peers.restic014, peers.restic018].map((restic) =>
    resticOn(restic, { repository: place(name), password }),
  );
  const [old, current] = programs;
  const contents = [
    new Uint8Array(randomBytes(20 * 1024 * 1024 + 5)),
    text("hello\n"),
    new Uint8Array(3_000_000),
    new Uint8Array(randomBytes(700_000)),
    text("t"),
    text("some text that is long enough to be compressed, compressed, compressed\n".repeat(99)),
  ];

  /** Stores blobs, each of more than the usual size in a pack of its own. */
  async function storeBlobs(repository: Repository, blobs: readonly Uint8Array[], isTree: boolean) {
    const index = new IndexWriter(repository.store, repository.sealer, repository.version);
    const assembler = new PackAssembler(repository.masterKey, "auto");
    for (const group of [blobs.filter(isLarge), blobs.filter((blob) => !isLarge(blob))]) {
      if (group.length === 0) continue;
      const room = group.reduce((sum, { length }) => sum + packBufferBytesFor(length), 0);
      const buffer = new Uint8Array(room);
      assembler.begin(buffer);
      for (const plain of group) assembler.add(plain, 0, plain.length, hashOf(plain), 0, isTree);
      const pack = assembler.finish();
      const handle = { type: "data", name: hexOf(pack.id) } as const;
      await repository.store.save(handle, buffer.subarray(0, pack.length), signal);
      await index.add(pack, pack.blobs, 0, signal);
    }
    await index.flush(signal);
  }
  const isLarge = ({ length }: Uint8Array): boolean => length > 8 * 1024 * 1024;

  beforeAll(async () => {
    const repository = await Repository.init(openStore(place(name)), {
      password: text(password),
      signal,
      scrypt,
    });
    await storeBlobs(repository, contents, false);
    const files = contents.map((plain, i) =>
      craftNode({ name: `file${i}`, type: "file", size: plain.length, content: hashOf(plain) }),
    );
    const empty = encodeTree(new ByteWriter(64), []);
    const folders = [
      craftNode({ name: "empty", type: "dir", subtree: hashOf(empty) }),
      craftNode({ name: "empty file", type: "file" }),
    ];
    const root = encodeTree(new ByteWriter(4096), [...folders, ...files]);
    await storeBlobs(repository, [root, empty], true);
    const bytes = contents.reduce((sum, { length }) => sum + length, 0);
    const json = encodeSnapshot({
      time: snapshotTime(1_700_000_000, 0),
      tree: hashOf(root),
      paths: ["/somewhere"],
      hostname: "host",
      username: "user",
      uid: 0,
      gid: 0,
      excludes: [],
      tags: [],
      programVersion: "backstay test",
      summary: { totalFilesProcessed: contents.length + 1, totalBytesProcessed: bytes },
    });
    await repository.saveSnapshot(json, signal);
  });

  it("is right in our own eyes", async () => {
    const facts = await assertWhole(await open(name), { readsData: true });
    expect(facts).toMatchObject({ packs: 3, orphans: 0, locks: 0 });
  });

  it("is checked by restic without a word, and its files come out as they went in", async () => {
    for (const program of programs) {
      const { stdout, stderr } = await program.succeed("check", "--read-data");
      expect(stdout).toContain("no errors were found");
      expect(stderr.trim()).toBe("");
    }
    for (const i of [1, 5]) {
      const dumped = await current.output("dump", "latest", `/file${i}`);
      expect(dumped).toBe(Buffer.from(contents[i]).toString());
    }
    expect(JSON.parse(await old.output("cat", "config"))).toMatchObject({ version: 2 });
  });

  it("gives restic nothing to prune, repack or rewrite", async () => {
    for (const program of programs) {
      const plan = await program.output("prune", "--dry-run", "--max-unused", "0");
      expect(plan).toMatch(/to repack:\s+0 blobs/);
      expect(plan).toMatch(/total prune:\s+0 blobs/);
    }
    expect(await current.output("rewrite", "--dry-run", "--exclude", "nothing")).toContain(
      "no snapshots would be modified",
    );
    expect(await current.output("repair", "snapshots", "--dry-run")).toContain(
      "no snapshots would be modified",
    );
  });

  it("opens with passwords that restic added, and restic with those that we added and changed", async () => {
    const keyed = "keyed";
    const store = openStore(place(keyed));
    const made = await Repository.init(store, { password: text("first"), signal, scrypt });
    await addKey(store, made.masterKey, text("second"), signal, scrypt);
    const passwordFile = place("password");
    writeFileSync(passwordFile, "third\n");
    const byRestic = resticOn(peers.restic018, { repository: place(keyed), password: "second" });
    await byRestic.output("key", "add", "--new-password-file", passwordFile);
    expect((await open(keyed, "third")).masterKey).toEqual(made.masterKey);
    const listed = JSON.parse(await byRestic.output("key", "list", "--json")) as object[];
    expect(listed).toHaveLength(3);
    const ours = await listKeys(store, signal);
    expect(ours.every(({ problem }) => problem === undefined)).toBe(true);
    const opened = await openMasterKey(store, text("second"), signal);
    await changePassword(store, opened, text("fourth"), signal, scrypt);
    expect((await byRestic.run("cat", "config")).exitCode).toBe(12);
    for (const restic of [peers.restic014, peers.restic018])
      await resticOn(restic, { repository: place(keyed), password: "fourth" }).output(
        "cat",
        "config",
      );
  });

  it("is locked for restic while we hold it, and restic reads our lock", async () => {
    const repository = await open(name);
    const lock = await repository.lock({ exclusive: true, waitMs: 0, signal });
    try {
      const [{ name: id }] = await listLocks(repository, signal);
      expect((await current.output("list", "locks", "--no-lock")).trim()).toBe(id);
      const seen = JSON.parse(await current.output("cat", "--no-lock", "lock", id)) as object;
      expect(seen).toMatchObject({ exclusive: true, pid: process.pid });
      const refused = await current.run("backup", "--stdin");
      expect(refused.exitCode).toBe(11);
      expect(refused.stderr).toContain(`PID ${process.pid}`);
      expect((await old.run("backup", "--stdin")).exitCode).not.toBe(0);
      // We are alive, so `unlock` leaves the lock; it asks by a signal that must not end us.
      for (const program of programs) await program.output("unlock");
      await lock.assertHeld(signal);
    } finally {
      await lock.release();
    }
    const together = await repository.lock({ exclusive: false, waitMs: 0, signal });
    await current.output("ls", "latest");
    await expect(together.assertHeld(signal)).resolves.toBeUndefined();
    expect((await current.run("prune")).exitCode).toBe(11);
    await together.release();
  });

  it("is locked for us while restic holds it, and after restic was killed until `unlock`", async () => {
    for (const restic of [peers.restic014, peers.restic018]) {
      const repository = await open(name);
      const args = [
        "--repo",
        place(name),
        "--no-cache",
        "backup",
        "--stdin",
        "--stdin-filename",
        "x",
      ];
      const holder = spawn(restic, args, {
        env: { ...process.env, RESTIC_PASSWORD: password },
        stdio: ["pipe", "ignore", "ignore"],
      });
      const ended = once(holder, "exit");
      while ((await listLocks(repository, signal)).length === 0) await sleep(20);
      await expect(repository.lock({ exclusive: true, waitMs: 0, signal })).rejects.toMatchObject({
        code: "REPOSITORY_LOCKED",
        context: { pid: holder.pid, kind: "shared" },
      });
      const together = await repository.lock({ exclusive: false, waitMs: 0, signal });
      await together.release();
      expect(await removeLocks(repository, "stale", signal)).toMatchObject({ removed: 0 });
      holder.kill("SIGKILL");
      await ended;
      // Whether its process is dead, only people on the same machine may conclude.
      await expect(repository.lock({ exclusive: true, waitMs: 0, signal })).rejects.toMatchObject({
        code: "REPOSITORY_LOCKED",
      });
      expect(await removeLocks(repository, "stale", signal)).toMatchObject({ removed: 1 });
      await (await repository.lock({ exclusive: true, waitMs: 0, signal })).release();
    }
    expect(readdirSync(path.join(place(name), "locks"))).toEqual([]);
  });
});
