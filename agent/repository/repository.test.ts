/** Creating and opening repositories: cut-off creations, races, damaged parts, and failing storage. */
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { FaultyStore } from "../../storage/fault/faulty-store.ts";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import type { FileType, ObjectStore } from "../../storage/object-store.ts";
import { craftedKey } from "../../test/repository/crafted-packs.ts";
import { encodeConfig, generateConfig } from "./config/repository-config.ts";
import { generateMasterKey } from "./crypto/master-key.ts";
import { Sealer } from "./crypto/sealed-bytes.ts";
import { addKey } from "./key/key-ring.ts";
import { Repository } from "./repository.ts";

const { signal } = new AbortController();
const scrypt = { N: 16, r: 1, p: 1 };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const optionsFor = (password: string) => ({ password: text(password), signal, scrypt });
const config = { type: "config", name: "" } as const;

async function namesOf(store: ObjectStore, type: FileType): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list(type, signal)) names.push(name);
  return names;
}

/** A store with what another has, each file changed by `change` if that gives something. */
async function copyStore(
  from: ObjectStore,
  change: (type: FileType, bytes: Uint8Array) => Uint8Array | undefined = (_, bytes) => bytes,
): Promise<MemoryStore> {
  const copy = new MemoryStore();
  for (const type of ["config", "keys", "data", "index", "snapshots", "locks"] as const)
    for (const name of type === "config" ? [""] : await namesOf(from, type)) {
      const bytes = change(type, await from.load({ type, name }, undefined, signal));
      if (bytes !== undefined) await copy.save({ type, name }, bytes, signal);
    }
  return copy;
}

describe("creating a repository", () => {
  it("makes one key and a config of format 2, which open", async () => {
    const store = new MemoryStore();
    const made = await Repository.init(store, optionsFor("x"));
    expect(made.version).toBe(2);
    expect(await namesOf(store, "keys")).toEqual([made.key.id]);
    const opened = await Repository.open(store, optionsFor("x"));
    expect(opened.config).toEqual(made.config);
    expect(opened.masterKey).toEqual(made.masterKey);
  });

  it("refuses a place that holds a config, snapshots, index files, packs or a foreign key", async () => {
    const whole = new MemoryStore();
    await Repository.init(whole, optionsFor("x"));
    const handles = (["data", "index", "snapshots"] as const).map((type) => ({
      type,
      name: "ab".repeat(32),
    }));
    for (const handle of handles) {
      const store = new MemoryStore();
      await store.save(handle, text("something"), signal);
      await expect(Repository.init(store, optionsFor("x"))).rejects.toMatchObject({
        code: "REPOSITORY_EXISTS",
        context: { found: handle.type },
      });
      expect(await namesOf(store, "keys")).toEqual([]);
    }
    await expect(Repository.init(whole, optionsFor("x"))).rejects.toMatchObject({
      code: "REPOSITORY_EXISTS",
    });
    const cutOff = await copyStore(whole, (type, bytes) => (type === "config" ? undefined : bytes));
    await expect(Repository.init(cutOff, optionsFor("y"))).rejects.toMatchObject({
      code: "REPOSITORY_EXISTS",
      context: { found: "keys" },
    });
  });

  it("completes a creation that was cut off after its key, without a second key", async () => {
    const store = new MemoryStore();
    const id = await addKey(store, craftedKey, text("x"), signal, scrypt);
    await expect(Repository.open(store, optionsFor("x"))).rejects.toMatchObject({
      code: "REPOSITORY_MISSING",
      exitCode: 10,
      context: { problem: expect.stringContaining("cut off") },
    });
    const made = await Repository.init(store, optionsFor("x"));
    expect(await namesOf(store, "keys")).toEqual([id]);
    expect(made.masterKey).toEqual(craftedKey);
  });

  it("can be repeated after any call of it failed, and leaves a repository that opens", async () => {
    for (const fault of ["before", "after"] as const)
      for (let failAt = 1; ; failAt += 1) {
        const store = new MemoryStore();
        const faulty = new FaultyStore(store, { fault, failAt });
        const story = `${fault} at ${failAt}`;
        const first = await Repository.init(faulty, optionsFor("x")).catch(
          (error: unknown) => error,
        );
        if (faulty.struck === 0) break;
        if (first instanceof Error)
          expect(first, story).toMatchObject({ code: "STORE_UNAVAILABLE" });
        const second = await Repository.init(store, optionsFor("x")).catch(
          (error: unknown) => error,
        );
        if (!(second instanceof Repository))
          expect(second, story).toMatchObject({ code: "REPOSITORY_EXISTS" });
        expect((await Repository.open(store, optionsFor("x"))).version, story).toBe(2);
        expect(await namesOf(store, "keys"), story).toHaveLength(1);
      }
  });

  it("ends in one repository if two do it at the same time", async () => {
    for (let round = 0; round < 20; round += 1) {
      const store = new MemoryStore();
      const outcomes = await Promise.allSettled(
        [0, 1].map(async (i) => {
          for (let wait = 0; wait < (round * (i + 1)) % 7; wait += 1) await Promise.resolve();
          return await Repository.init(store, optionsFor("x"));
        }),
      );
      const made = outcomes.filter((outcome) => outcome.status === "fulfilled");
      expect(made.length).toBeGreaterThanOrEqual(1);
      for (const outcome of outcomes)
        if (outcome.status === "rejected")
          expect(outcome.reason).toMatchObject({ code: "REPOSITORY_EXISTS" });
      const opened = await Repository.open(store, optionsFor("x"));
      for (const { value } of made) expect(value.config).toEqual(opened.config);
    }
  });

  it("does not take away the key that another creation has completed with", async () => {
    const store = new MemoryStore();
    const save = store.save.bind(store);
    let isFirst = true;
    store.save = async (handle, bytes, aborting) => {
      if (handle.type === "config" && isFirst) {
        isFirst = false;
        await Repository.init(store, optionsFor("x"));
      }
      await save(handle, bytes, aborting);
    };
    await expect(Repository.init(store, optionsFor("x"))).rejects.toMatchObject({
      code: "REPOSITORY_EXISTS",
    });
    expect(await namesOf(store, "keys")).toHaveLength(1);
    expect((await Repository.open(store, optionsFor("x"))).version).toBe(2);
  });
});

describe("opening a repository", () => {
  it("says that there is none, or that the password is wrong", async () => {
    const store = new MemoryStore();
    await expect(Repository.open(store, optionsFor("x"))).rejects.toMatchObject({
      code: "REPOSITORY_MISSING",
      exitCode: 10,
    });
    await Repository.init(store, optionsFor("x"));
    await expect(Repository.open(store, optionsFor("y"))).rejects.toMatchObject({
      code: "WRONG_PASSWORD",
      exitCode: 12,
    });
  });

  it("says that config or keys are damaged, whatever is wrong with them, and never crashes", async () => {
    const store = new MemoryStore();
    await Repository.init(store, optionsFor("x"));
    const spoils: ((bytes: Uint8Array) => Uint8Array | undefined)[] = [
      () => new Uint8Array(0),
      (bytes) => bytes.slice(0, 31),
      (bytes) => bytes.slice(0, -1),
      (bytes) => Uint8Array.from(bytes).fill(0, bytes.length >> 1),
      () => new Uint8Array(5_000_000),
      () => text("{}"),
    ];
    for (const spoil of spoils)
      for (const spoiled of ["config", "keys"] as const) {
        const copy = await copyStore(store, (type, bytes) =>
          type === spoiled ? spoil(bytes) : bytes,
        );
        await expect(Repository.open(copy, optionsFor("x"))).rejects.toMatchObject({
          code: spoiled === "keys" ? "KEY_UNUSABLE" : "REPOSITORY_DAMAGED",
        });
      }
    const keyless = await copyStore(store, (type, bytes) => (type === "keys" ? undefined : bytes));
    await expect(Repository.open(keyless, optionsFor("x"))).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
    });
  });

  it("finds the key that opens the config among keys that do not", async () => {
    const store = new MemoryStore();
    for (let i = 0; i < 4; i += 1)
      await addKey(store, generateMasterKey(), text("x"), signal, scrypt);
    await addKey(store, craftedKey, text("x"), signal, scrypt);
    await store.save(config, encodeConfig(new Sealer(craftedKey), generateConfig()), signal);
    expect((await Repository.open(store, optionsFor("x"))).masterKey).toEqual(craftedKey);
  });

  it("reads format 1, and writes no snapshot into it", async () => {
    const store = new MemoryStore();
    await addKey(store, craftedKey, text("x"), signal, scrypt);
    const first = { ...generateConfig(), version: 1 as const };
    await store.save(config, encodeConfig(new Sealer(craftedKey), first), signal);
    const opened = await Repository.open(store, optionsFor("x"));
    expect(opened.version).toBe(1);
    expect(() => opened.assertWritable()).toThrow(
      expect.objectContaining({ code: "REPOSITORY_UNSUPPORTED" }),
    );
    await expect(opened.saveSnapshot(text("{}"), signal)).rejects.toMatchObject({
      code: "REPOSITORY_UNSUPPORTED",
    });
    expect(await namesOf(store, "snapshots")).toEqual([]);
  });

  it("passes on every failure of the store as it is", async () => {
    const store = new MemoryStore();
    await Repository.init(store, optionsFor("x"));
    for (let failAt = 1; ; failAt += 1) {
      const faulty = new FaultyStore(store, { fault: "before", failAt });
      const opening = await Repository.open(faulty, optionsFor("x")).catch(
        (error: unknown) => error,
      );
      if (faulty.struck === 0) break;
      expect(opening).toMatchObject({ code: "STORE_UNAVAILABLE" });
    }
  });
});

describe("snapshot, index and lock files", () => {
  it("come back by name, and are refused if their content is another's", async () => {
    const store = new MemoryStore();
    const repository = await Repository.init(store, optionsFor("x"));
    const [first, second] = [
      await repository.saveSnapshot(text('{"a":1}'), signal),
      await repository.saveSnapshot(text('{"a":2}'), signal),
    ];
    const load = async (id: string, from: Repository = repository) =>
      new TextDecoder().decode(await from.loadUnpacked("snapshots", id, signal));
    expect(await load(first)).toBe('{"a":1}');
    const swapped = await copyStore(store);
    const stored = await store.load({ type: "snapshots", name: second }, undefined, signal);
    await swapped.remove({ type: "snapshots", name: first }, signal);
    await swapped.save({ type: "snapshots", name: first }, stored, signal);
    const other = await Repository.open(swapped, optionsFor("x"));
    await expect(load(first, other)).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
      context: { file: `snapshots/${first}` },
    });
    await expect(load("ab".repeat(32))).rejects.toMatchObject({ code: "STORE_NOT_FOUND" });
  });

  it("are not loaded if they are larger than any can be", async () => {
    const store = new MemoryStore();
    const repository = await Repository.init(store, optionsFor("x"));
    const name = "cd".repeat(32);
    store.stat = async () => 900_000_000;
    store.load = async () => expect.fail("loaded");
    await expect(repository.loadUnpacked("index", name, signal)).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
    });
  });

  it("are stored whole or not at all when saving fails, and then the id is not given", async () => {
    for (const fault of ["before", "after"] as const) {
      const store = new MemoryStore();
      await Repository.init(store, optionsFor("x"));
      const faulty = new FaultyStore(store, { fault, failAt: 1, methods: ["save"] });
      const repository = await Repository.open(faulty, optionsFor("x"));
      const saving = repository.saveSnapshot(text("{}"), signal);
      const problem = await saving.catch((error: unknown) => error);
      expect(isBackstayError(problem, "STORE_UNAVAILABLE")).toBe(true);
      for (const id of await namesOf(store, "snapshots"))
        expect(await repository.loadUnpacked("snapshots", id, signal)).toEqual(text("{}"));
    }
  });
});
