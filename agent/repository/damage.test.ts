/** Damage of every kind in every file of a repository: never wrong data, always a named part, never a crash. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import type { Handle, ObjectStore } from "../../storage/object-store.ts";
import { hashOf, hexOf } from "../../test/repository/crafted-packs.ts";
import { CraftedRepository } from "../../test/repository/crafted-snapshot.ts";
import { Repository } from "./repository.ts";

const { signal } = new AbortController();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const contents = ["first content", "x".repeat(3000), "third"];
const snapshotJson = text('{"time":"2024-01-01T00:00:00Z","paths":["/x"]}');
const types = ["config", "keys", "data", "index", "snapshots"] as const;

let sound: ObjectStore;
let root: Uint8Array;
/** What reading all of the sound repository gives. */
let right: string | BackstayError;

beforeAll(async () => {
  const crafted = new CraftedRepository();
  const nodes = contents.map((content, i) => {
    if (i === 2) crafted.nextPack();
    return crafted.file(`file${i}`, [content]);
  });
  root = crafted.tree([crafted.directory("folder", nodes)]);
  const repository = await crafted.open();
  await repository.saveSnapshot(snapshotJson, signal);
  sound = crafted.store;
  right = await readAll(sound);
  expect(right).toMatch(/^[0-9a-f]{64}$/);
});

async function handlesOf(store: ObjectStore): Promise<Handle[]> {
  const handles: Handle[] = [{ type: "config", name: "" }];
  for (const type of types)
    for await (const { name } of store.list(type, signal)) handles.push({ type, name });
  return handles;
}

/** A copy of the sound repository in which one file has other bytes. */
async function spoiltAt(place: Handle, change: (bytes: Uint8Array) => Uint8Array) {
  const copy = new MemoryStore();
  for (const handle of await handlesOf(sound)) {
    const bytes = await sound.load(handle, undefined, signal);
    const isPlace = handle.type === place.type && handle.name === place.name;
    await copy.save(handle, isPlace ? change(bytes) : bytes, signal);
  }
  return copy;
}

/** Reads everything; gives hashes of what was read, or what went wrong. */
async function readAll(store: ObjectStore, cacheRoot?: string): Promise<string | BackstayError> {
  try {
    const password = text("crafted");
    const repository = await Repository.open(store, { password, signal, cacheRoot });
    const read: Uint8Array[] = [];
    for await (const { name } of store.list("snapshots", signal))
      read.push(await repository.loadUnpacked("snapshots", name, signal));
    await repository.loadIndex(signal);
    read.push(await repository.loadTree(root, signal));
    for (const content of contents)
      read.push(await repository.loadBlob(hashOf(text(content)), signal));
    return hexOf(hashOf(Buffer.concat(read)));
  } catch (error) {
    if (error instanceof BackstayError) return error;
    throw error;
  }
}

async function expectNoHarm(store: ObjectStore, place: Handle, story: string): Promise<void> {
  const outcome = await readAll(store);
  // A flip may hit what nobody reads here: the header of a pack, or the name of a key's owner.
  if (outcome === right && (place.type === "data" || place.type === "keys")) return;
  expect(outcome, story).toBeInstanceOf(BackstayError);
  if (typeof outcome === "string") return;
  expect(["REPOSITORY_DAMAGED", "KEY_UNUSABLE"], story).toContain(outcome.code);
  const facts = JSON.stringify(outcome.context);
  expect(facts, story).toContain(place.type === "config" ? "config" : place.name);
}

describe("a repository with one bad file", () => {
  it("is read right, or the bad file is named, wherever a bit flips", async () => {
    for (const place of await handlesOf(sound)) {
      const { length } = await sound.load(place, undefined, signal);
      for (let at = 0; at < length; at += Math.max(1, Math.ceil(length / 12))) {
        const store = await spoiltAt(place, (bytes) => {
          bytes[at] ^= 0x04;
          return bytes;
        });
        await expectNoHarm(store, place, `${place.type} at ${at} of ${length}`);
      }
    }
  });

  it("is read right, or the bad file is named, wherever that is cut or what it is filled with", async () => {
    for (const place of await handlesOf(sound)) {
      const { length } = await sound.load(place, undefined, signal);
      const changes: [string, (bytes: Uint8Array) => Uint8Array][] = [
        ...[0, 1, 16, 31, 32, 33, length >> 1, length - 1].map(
          (end): [string, (bytes: Uint8Array) => Uint8Array] => [
            `cut to ${end}`,
            (bytes) => bytes.slice(0, end),
          ],
        ),
        ["zeros", (bytes) => new Uint8Array(bytes.length)],
        ["a byte more", (bytes) => new Uint8Array(Buffer.concat([bytes, Buffer.of(0)]))],
        ["JSON", () => text("{}")],
      ];
      for (const [story, change] of changes)
        await expectNoHarm(await spoiltAt(place, change), place, `${place.type} ${story}`);
    }
  });

  it("is not misled by sound files in each other's place", async () => {
    const handles = await handlesOf(sound);
    for (const place of handles)
      for (const other of handles) {
        if (place === other) continue;
        const bytes = await sound.load(other, undefined, signal);
        const outcome = await readAll(await spoiltAt(place, () => bytes));
        if (outcome !== right) expect(outcome).toBeInstanceOf(BackstayError);
      }
  });

  it("without one of its files says which is missing", async () => {
    for (const place of await handlesOf(sound)) {
      if (place.type === "snapshots") continue;
      const store = await spoiltAt(place, (bytes) => bytes);
      await store.remove(place, signal);
      const outcome = await readAll(store);
      expect(outcome, place.type).toMatchObject({
        code: {
          config: "REPOSITORY_MISSING",
          keys: "REPOSITORY_DAMAGED",
          data: "STORE_NOT_FOUND",
          index: "BLOB_MISSING",
        }[place.type as "config"],
      });
    }
  });
});

describe("a cache with bad files", () => {
  let cacheRoot: string;
  beforeEach(async () => {
    cacheRoot = await mkdtemp(path.join(tmpdir(), "backstay-damage-"));
  });
  afterEach(async () => {
    await rm(cacheRoot, { recursive: true, force: true });
  });

  it("never changes what is read, and is right again afterwards", async () => {
    expect(await readAll(sound, cacheRoot)).toBe(right);
    const files = (await readdir(cacheRoot, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && entry.name !== "CACHEDIR.TAG")
      .map((entry) => path.join(entry.parentPath, entry.name));
    expect(files.map((file) => path.basename(path.dirname(file))).sort()).toEqual([
      "snapshots",
      "table",
      "trees",
    ]);
    for (const file of files) {
      const whole = await readFile(file);
      for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 12)) {
        const flipped = Buffer.from(whole);
        flipped[at] ^= 0x20;
        await writeFile(file, flipped);
        expect(await readAll(sound, cacheRoot), `${file} at ${at}`).toBe(right);
      }
      for (const content of ["", whole.subarray(0, 40), Buffer.alloc(whole.length)]) {
        await writeFile(file, content);
        expect(await readAll(sound, cacheRoot)).toBe(right);
      }
      expect(await readAll(sound, cacheRoot)).toBe(right);
    }
  });

  it("may be shared by several that open the repository at the same time", async () => {
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => readAll(sound, cacheRoot)));
    expect(outcomes).toEqual([right, right, right, right]);
  });
});
