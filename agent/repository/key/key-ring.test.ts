/** Key files: the format's vector, hostile ones, and changes of passwords with every call failing once. */
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import { FaultyStore } from "../../../storage/fault/faulty-store.ts";
import { MemoryStore } from "../../../storage/memory/memory-store.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import { craftedKey, hashOf, hexOf } from "../../../test/repository/crafted-packs.ts";
import { encodeMasterKey, masterKeyToBytes } from "../crypto/master-key.ts";
import {
  addKey,
  changePassword,
  findKeyId,
  keyFilesTriedMax,
  listKeys,
  openMasterKey,
  removeKey,
} from "./key-ring.ts";
import { deriveScrypt, scryptProblem } from "./scrypt.ts";

const { signal } = new AbortController();
const cheap = { N: 16, r: 1, p: 1 };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const keyHex = hexOf(masterKeyToBytes(craftedKey));

/** Written by restic 0.14.0 for the password `x`. */
const vector =
  '{"created":"2026-11-23T02:27:40.412771207Z","username":"root","hostname":"vm","kdf":"scrypt","N":32768,"r":8,"p":9,"salt":"zgAkTO45B8uiosjCEAY0OM0KLXWqLTHcQyNAcTIddvQ3Gz0uf5Zz6ydIovWOsWUygXgoReXxDGpQh10ZPNMCLA==","data":"6rIWBSGbGzFonktudT5ZbIjo3eaTyF1n3AyO8399h13wR45WmJHedViI5FvZFQGcgvc+4KoVPTvdNnrOdOvm14/+dTCFzSd9yDTFAmzPTT82giE0r9ozQIJwwXkxJzQ483XHkJzDljuMqnG8bjjisIP/zAVNq5RQUaHC3pI4Zl+rKa/KGBBQgOhZw32SdFXdL43N1StcVATTXf4wE+660Q=="}';
const vectorMaster =
  '{"mac":{"k":"4AODomShJA2PbP+CMFe7EQ==","r":"lQpICvxUcg8og7MDgJmYAw=="},"encrypt":"ThbdSk08Surd7i7UIRWT7WvLhy0OPEIk6/12hpEb4kc="}';

async function storeKey(store: ObjectStore, content: string | Uint8Array): Promise<string> {
  const bytes = typeof content === "string" ? text(content) : content;
  const name = hexOf(hashOf(bytes));
  await store.save({ type: "keys", name }, bytes, signal);
  return name;
}

async function opens(store: ObjectStore, password: string): Promise<boolean> {
  try {
    const { master } = await openMasterKey(store, text(password), signal);
    return hexOf(masterKeyToBytes(master)) === keyHex;
  } catch (error) {
    if (isBackstayError(error, "WRONG_PASSWORD")) return false;
    throw error;
  }
}

async function keyNames(store: ObjectStore): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list("keys", signal)) names.push(name);
  return names;
}

describe("scrypt", () => {
  it("takes what restic and others write", () => {
    for (const N of [16384, 32768, 65536, 2 ** 19])
      for (const p of [1, 5]) expect(scryptProblem({ N, r: 8, p }), `${N} ${p}`).toBeUndefined();
    expect(scryptProblem({ N: 32768, r: 8, p: 64 })).toBeUndefined();
  });

  it("refuses parameters that ask for hours, for all memory, or for nonsense", () => {
    for (const [N, r, p] of [
      [2 ** 30, 8, 1],
      [2 ** 20, 8, 1],
      [2 ** 20, 16, 1],
      [2 ** 15, 8, 2 ** 20],
      [2, 1, 2 ** 26],
      [2, 2 ** 23, 1],
      [2, 2 ** 20, 2 ** 20],
      [3, 8, 1],
      [1, 8, 1],
      [0, 8, 1],
      [-16, 8, 1],
      [16, 0, 1],
      [16, 8, 0],
      [16.5, 8, 1],
      [2 ** 53, 1, 1],
      [Number.NaN, 8, 1],
      [Number.POSITIVE_INFINITY, 8, 1],
    ])
      expect(scryptProblem({ N, r, p }), `${N} ${r} ${p}`).toBeDefined();
  });

  it("stops waiting when aborted", async () => {
    const aborting = new AbortController();
    const deriving = deriveScrypt(
      text("x"),
      text("salt"),
      { N: 65536, r: 8, p: 8 },
      aborting.signal,
    );
    aborting.abort();
    await expect(deriving).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("opening a repository's key", () => {
  it("opens the vector that restic wrote, and says whose it is", async () => {
    const store = new MemoryStore();
    const id = await storeKey(store, vector);
    const { master, info } = await openMasterKey(store, text("x"), signal);
    expect(Buffer.from(encodeMasterKey(master)).toString()).toBe(vectorMaster);
    expect(info).toMatchObject({
      id,
      created: "2026-11-23T02:27:40.412771207Z",
      userName: "root",
      hostName: "vm",
    });
  });

  it("finds the key of a password among others, and refuses a password that opens none", async () => {
    const store = new MemoryStore();
    for (const password of ["one", "two", "three", ""])
      await addKey(store, craftedKey, text(password), signal, cheap);
    for (const password of ["one", "two", "three", ""])
      expect(await opens(store, password), password).toBe(true);
    const wrong = openMasterKey(store, text("four"), signal);
    await expect(wrong).rejects.toMatchObject({ code: "WRONG_PASSWORD", exitCode: 12 });
  });

  it("passes by files that are empty, cut, huge, no JSON, or of wrong kinds", async () => {
    const store = new MemoryStore();
    const json = JSON.parse(vector) as Record<string, unknown>;
    const spoiled = (change: object): string => JSON.stringify({ ...json, ...change });
    for (const content of [
      "",
      "{",
      vector.slice(0, -1),
      vector.slice(0, 300),
      "null",
      "[]",
      "7",
      '"scrypt"',
      "[".repeat(60_000),
      `${vector}x`,
      spoiled({ kdf: "argon2" }),
      spoiled({ kdf: undefined }),
      spoiled({ N: 2 ** 30 }),
      spoiled({ N: "32768" }),
      spoiled({ p: 2 ** 20 }),
      spoiled({ r: -8 }),
      spoiled({ p: 1.5 }),
      spoiled({ salt: Buffer.alloc(32).toString("base64") }),
      spoiled({ salt: "!" }),
      spoiled({ salt: null }),
      spoiled({ data: 7 }),
      spoiled({ padding: " ".repeat(70_000) }),
      new Uint8Array(1_000_000),
    ])
      await storeKey(store, content);
    await expect(openMasterKey(store, text("x"), signal)).rejects.toMatchObject({
      code: "KEY_UNUSABLE",
    });
    await addKey(store, craftedKey, text("right"), signal, cheap);
    expect(await opens(store, "right")).toBe(true);
    expect(await opens(store, "wrong")).toBe(false);
  });

  it("tries a bounded number of files, and loads no large one", async () => {
    const store = new MemoryStore();
    const loads: string[] = [];
    const load = store.load.bind(store);
    store.load = async (handle, range, aborting) => {
      loads.push(handle.name);
      return await load(handle, range, aborting);
    };
    await storeKey(store, new Uint8Array(50_000_000));
    for (let i = 0; i < 400; i += 1) await storeKey(store, `garbage ${i}`);
    await expect(openMasterKey(store, text("x"), signal)).rejects.toMatchObject({
      code: "KEY_UNUSABLE",
    });
    expect(loads.length).toBeLessThanOrEqual(200);
    const many = new MemoryStore();
    for (let i = 0; i < keyFilesTriedMax + 15; i += 1)
      await addKey(many, craftedKey, text(`${i}`), signal, cheap);
    await expect(openMasterKey(many, text("x"), signal)).rejects.toMatchObject({
      code: "WRONG_PASSWORD",
      context: { keysTried: keyFilesTriedMax },
    });
  });

  it("tries cheap files before expensive ones, and gives up on many expensive ones", async () => {
    const store = new MemoryStore();
    const json = JSON.parse(vector) as Record<string, unknown>;
    // Each of these takes fifteen seconds; together they would take five minutes.
    for (let i = 0; i < 10; i += 1)
      await storeKey(store, JSON.stringify({ ...json, N: 2 ** 19, p: 16, username: `u${i}` }));
    await addKey(store, craftedKey, text("right"), signal, cheap);
    expect(await opens(store, "right")).toBe(true);
  });

  it("says that a key is damaged, not that the password is wrong, if its file is not what it was", async () => {
    const { id, bytes } = await (async () => {
      const source = new MemoryStore();
      const made = await addKey(source, craftedKey, text("x"), signal, cheap);
      return {
        id: made,
        bytes: await source.load({ type: "keys", name: made }, undefined, signal),
      };
    })();
    for (let at = 0; at < bytes.length; at += 1) {
      const flipped = Uint8Array.from(bytes);
      flipped[at] ^= 1;
      const store = new MemoryStore();
      await store.save({ type: "keys", name: id }, flipped, signal);
      const outcome = await openMasterKey(store, text("x"), signal).then(
        ({ master }) => hexOf(masterKeyToBytes(master)),
        (error: unknown) => error,
      );
      // A flip in a name or a date leaves the key usable.
      if (outcome !== keyHex) expect(outcome, `byte ${at}`).toMatchObject({ code: "KEY_UNUSABLE" });
      const [listed] = await listKeys(store, signal);
      expect(listed.problem, `byte ${at}`).toBeDefined();
    }
  });

  it("prefers the key that fits, and says so if none does", async () => {
    const store = new MemoryStore();
    const other = { ...craftedKey, encrypt: new Uint8Array(32).fill(9) };
    for (let i = 0; i < 3; i += 1) await addKey(store, other, text("x"), signal, cheap);
    await addKey(store, craftedKey, text("x"), signal, cheap);
    const isCrafted = (bytes: Uint8Array): boolean => hexOf(bytes) === keyHex;
    const opened = await openMasterKey(store, text("x"), signal, (key) =>
      isCrafted(masterKeyToBytes(key)),
    );
    expect(isCrafted(masterKeyToBytes(opened.master))).toBe(true);
    const none = openMasterKey(store, text("x"), signal, () => false);
    await expect(none).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
  });

  it("says that there is no key file, and passes on what the store says", async () => {
    const store = new MemoryStore();
    await expect(openMasterKey(store, text("x"), signal)).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
    });
    await addKey(store, craftedKey, text("x"), signal, cheap);
    for (const failAt of [1, 2]) {
      const faulty = new FaultyStore(store, { fault: "before", failAt });
      await expect(openMasterKey(faulty, text("x"), signal)).rejects.toMatchObject({
        code: "STORE_UNAVAILABLE",
      });
    }
  });
});

describe("adding and removing keys", () => {
  it("lists keys, damaged ones with their problem, and finds them by prefix", async () => {
    const store = new MemoryStore();
    const id = await addKey(store, craftedKey, text("x"), signal, cheap);
    const bad = await storeKey(store, "garbage");
    const listed = await listKeys(store, signal);
    expect(listed.map((key) => [key.id, key.problem === undefined])).toEqual([
      [id, true],
      [bad, false],
    ]);
    expect(Date.parse(listed[0].created)).toBeGreaterThan(Date.now() - 60_000);
    expect(await findKeyId(store, id, signal)).toBe(id);
    expect(await findKeyId(store, id.slice(0, 10), signal)).toBe(id);
    for (const prefix of ["", "z", `${id}0`])
      await expect(findKeyId(store, prefix, signal)).rejects.toMatchObject({
        code: "KEY_NOT_FOUND",
      });
    for (let i = 0; i < 17; i += 1) await storeKey(store, `more ${i}`);
    const counts = new Map<string, number>();
    for (const name of await keyNames(store)) counts.set(name[0], (counts.get(name[0]) ?? 0) + 1);
    const shared = [...counts].find(([, count]) => count > 1)?.[0] ?? "none";
    await expect(findKeyId(store, shared, signal)).rejects.toMatchObject({ code: "KEY_NOT_FOUND" });
  });

  it("does not remove the key in use or the last that can be used, unless told to", async () => {
    const store = new MemoryStore();
    const own = await addKey(store, craftedKey, text("own"), signal, cheap);
    const garbage = await storeKey(store, "garbage");
    const remove = (id: string, ownKeyId: string, isForced = false) =>
      removeKey(store, id, { ownKeyId, isForced, signal });
    await expect(remove(own, own)).rejects.toMatchObject({ code: "KEY_NEEDED" });
    await expect(remove(own, garbage)).rejects.toMatchObject({ code: "KEY_NEEDED" });
    await expect(remove("ab".repeat(32), own)).rejects.toMatchObject({ code: "KEY_NOT_FOUND" });
    const other = await addKey(store, craftedKey, text("other"), signal, cheap);
    await remove(garbage, own);
    await remove(other, own);
    expect(await keyNames(store)).toEqual([own]);
    await remove(own, own, true);
    expect(await keyNames(store)).toEqual([]);
  });

  it("changes a password: the new one opens, the old one no more", async () => {
    const store = new MemoryStore();
    await addKey(store, craftedKey, text("old"), signal, cheap);
    const opened = await openMasterKey(store, text("old"), signal);
    const change = await changePassword(store, opened, text("new"), signal, cheap);
    expect(change.oldKeyProblem).toBeUndefined();
    expect(await keyNames(store)).toEqual([change.id]);
    expect(await opens(store, "new")).toBe(true);
    expect(await opens(store, "old")).toBe(false);
  });

  it("leaves a password that opens, whichever call of a change fails", async () => {
    for (const fault of ["before", "after", "torn", "flipped"] as const)
      for (let failAt = 1; ; failAt += 1) {
        const store = new MemoryStore();
        await addKey(store, craftedKey, text("old"), signal, cheap);
        const opened = await openMasterKey(store, text("old"), signal);
        const faulty = new FaultyStore(store, { fault, failAt });
        const outcome = await changePassword(faulty, opened, text("new"), signal, cheap).catch(
          (error: unknown) => error as Error,
        );
        if (faulty.struck === 0) break;
        const [old, renewed] = [await opens(store, "old"), await opens(store, "new")];
        const story = `${fault} at ${failAt}: old ${old}, new ${renewed}`;
        if (outcome instanceof Error) expect([old, renewed], story).toEqual([true, false]);
        else expect(renewed, story).toBe(true);
        if (!(outcome instanceof Error) && outcome.oldKeyProblem === undefined)
          expect(old, story).toBe(false);
        for (const { problem } of await listKeys(store, signal))
          expect(problem, story).toBeUndefined();
      }
  });
});
