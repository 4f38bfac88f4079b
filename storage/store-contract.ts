/**
 * The suite that every store and every wrapper passes. A new store's test is one call to it, beside the
 * tests of what only that store does.
 */
import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type FileType,
  fileTypes,
  type Handle,
  loadBytesMax,
  type ObjectStore,
} from "./object-store.ts";
import { describeStreaming } from "./streaming-contract.ts";

const never = new AbortController().signal;
const mebibyte = 1024 * 1024;
const named = fileTypes.filter((type) => type !== "config");
const config: Handle = { type: "config", name: "" };

const badNames: readonly string[] = [
  "",
  ".",
  "..",
  "../config",
  "/etc/passwd",
  `../${"a".repeat(61)}`,
  `${"a".repeat(32)}/${"a".repeat(31)}`,
  `${"a".repeat(32)}\\${"a".repeat(31)}`,
  `${"a".repeat(63)}\0`,
  `${"a".repeat(64)}\n`,
  "A".repeat(64),
  "g".repeat(64),
  "a".repeat(63),
  "a".repeat(65),
];
const badOwnNames: readonly string[] = [
  "",
  ".",
  "..",
  ".hidden",
  "ends.",
  "a/b",
  "a\\b",
  "../config",
  "Upper",
  "under_score",
  "a b",
  "a\0",
  "é",
  "a".repeat(129),
];
const goodOwnNames: readonly string[] = ["a", "0", "session.json", "a-b.c--d", "a".repeat(128)];

/** What a place behind a store insists on, beyond the contract. */
export interface StoreTraits {
  /** Takes a file only under the SHA-256 of its content, where names are such. */
  readonly hashNames?: boolean;
  /** Removes locks only. */
  readonly appendOnly?: boolean;
  /** Keeps no objects of Backstay's own. */
  readonly noOwnObjects?: boolean;
}

/** What the tests of one store share. */
class Suite {
  readonly traits: StoreTraits;
  store: ObjectStore | undefined;

  constructor(traits: StoreTraits) {
    this.traits = traits;
  }

  readonly at = (): ObjectStore => {
    if (this.store === undefined) throw new Error("no store is open");
    return this.store;
  };

  /** All types but `config` that the store keeps. */
  get types(): readonly FileType[] {
    return this.traits.noOwnObjects === true ? named.filter((type) => type !== "backstay") : named;
  }

  get removable(): readonly FileType[] {
    return this.traits.appendOnly === true ? ["locks"] : this.types;
  }

  /** A handle that no other test of this run uses, unless the store wants the name to be the hash of `data`. */
  handle(type: FileType, data: Uint8Array): Handle {
    const isHash = this.traits.hashNames === true && type !== "backstay";
    handlesMade += 1;
    const source = isHash ? data : `handle ${handlesMade}`;
    return { type, name: createHash("sha256").update(source).digest("hex") };
  }

  /** A handle under which any content may be saved. */
  free(): Handle {
    return this.traits.noOwnObjects === true ? config : this.handle("backstay", new Uint8Array());
  }
}

/**
 * Declares the suite. `open` gives a store over an empty place, once for each test; the suite calls
 * `create` and `close`. What the place leaves behind is the caller's to remove.
 */
export function describeStoreContract(
  name: string,
  open: () => Promise<ObjectStore>,
  traits: StoreTraits = {},
): void {
  describe(`${name} keeps the store contract`, () => {
    const suite = new Suite(traits);
    beforeEach(async () => {
      suite.store = await open();
      await suite.at().create(never);
    });
    afterEach(async () => {
      await suite.at().close();
    });
    describeSaving(suite);
    describeCreateOnly(suite);
    describeLoading(suite);
    describeListing(suite);
    describeRemoving(suite);
    describeRefusing(suite);
    describeAborting(suite);
    describeStreaming(suite);
  });
}

function describeSaving(suite: Suite): void {
  const { at } = suite;
  it("says where it is and how many requests it likes", () => {
    expect(at().location).not.toBe("");
    expect(at().capabilities.connections).toBeGreaterThanOrEqual(1);
  });
  it("is created twice without harm", async () => {
    await at().save(config, Uint8Array.of(1), never);
    await at().create(never);
    expect(await at().load(config, undefined, never)).toEqual(Uint8Array.of(1));
  });
  it("returns the bytes that were saved, for every type", async () => {
    const anyCase = fc.tuple(fc.constantFrom(...suite.types), fc.uint8Array({ maxLength: 4096 }));
    await fc.assert(
      fc.asyncProperty(anyCase, async ([type, data]) => {
        const handle = suite.handle(type, data);
        await at().save(handle, data, never);
        expectBytes(await at().load(handle, undefined, never), data);
        expect(await at().stat(handle, never)).toBe(data.length);
      }),
      { numRuns: 60 },
    );
  });
  it("keeps the config", async () => {
    expect(await at().stat(config, never)).toBeUndefined();
    await at().save(config, Uint8Array.of(1, 2, 3), never);
    expect(await at().stat(config, never)).toBe(3);
    expectBytes(await at().load(config, undefined, never), Uint8Array.of(1, 2, 3));
  });
  it("keeps an empty file", async () => {
    const handle = suite.handle("locks", new Uint8Array(0));
    await at().save(handle, new Uint8Array(0), never);
    expect(await at().stat(handle, never)).toBe(0);
    expectBytes(await at().load(handle, undefined, never), new Uint8Array(0));
  });
  it("takes names of every allowed form for our own objects, or says that it keeps none", async () => {
    if (suite.traits.noOwnObjects === true) {
      const own = suite.handle("backstay", Uint8Array.of(1));
      await expect(at().save(own, Uint8Array.of(1), never)).rejects.toMatchObject({
        code: "STORE_DENIED",
      });
      expect(at().capabilities.ownObjects).toBe(false);
      return;
    }
    for (const [i, name] of goodOwnNames.entries())
      await at().save({ type: "backstay", name }, Uint8Array.of(i), never);
    for (const [i, name] of goodOwnNames.entries())
      expectBytes(await at().load({ type: "backstay", name }, undefined, never), Uint8Array.of(i));
    expect((await listed(at(), "backstay")).map((file) => file.name)).toEqual(
      [...goodOwnNames].sort(),
    );
  });
  it("stores only the view of a larger buffer", async () => {
    const whole = Uint8Array.from({ length: 100 }, (_, i) => i);
    const handle = suite.handle("data", whole.subarray(10, 20));
    await at().save(handle, whole.subarray(10, 20), never);
    expectBytes(await at().load(handle, undefined, never), whole.slice(10, 20));
  });
  it("keeps no hold of the caller's bytes, nor the caller of its", async () => {
    const data = Uint8Array.of(1, 2, 3);
    const handle = suite.handle("index", data);
    await at().save(handle, data, never);
    data.fill(9);
    const loaded = await at().load(handle, undefined, never);
    expectBytes(loaded, Uint8Array.of(1, 2, 3));
    loaded.fill(8);
    expectBytes(await at().load(handle, undefined, never), Uint8Array.of(1, 2, 3));
  });
  it("leaves the saved bytes unchanged", async () => {
    const data = randomBytes(100_000);
    const before = Uint8Array.from(data);
    await at().save(suite.handle("data", data), data, never);
    expectBytes(data, before);
  });
  it("keeps an object of 20 MiB and an odd byte", async () => {
    const data = randomBytes(20 * mebibyte + 1);
    const handle = suite.handle("data", data);
    await at().save(handle, data, never);
    expect(await at().stat(handle, never)).toBe(data.length);
    expectBytes(await at().load(handle, undefined, never), data);
    for (const [offset, length] of [
      [0, 1],
      [20 * mebibyte, 1],
      [4 * mebibyte - 3, 8 * mebibyte],
    ])
      expectBytes(
        await at().load(handle, { offset, length }, never),
        data.subarray(offset, offset + length),
      );
  });
  it("serves many calls at once", async () => {
    const files = Array.from({ length: 40 }, (_, i) => {
      const data = randomBytes(1 + i * 97);
      return { handle: suite.handle(suite.types[i % suite.types.length], data), data };
    });
    await Promise.all(
      files.map(async ({ handle, data }) => {
        await at().save(handle, data, never);
        expectBytes(await at().load(handle, undefined, never), data);
      }),
    );
    for (const { handle, data } of files) expect(await at().stat(handle, never)).toBe(data.length);
  });
}

function describeCreateOnly(suite: Suite): void {
  const { at } = suite;
  it("takes the same content again", async () => {
    const data = randomBytes(3000);
    for (const handle of [config, suite.handle("data", data), suite.free()]) {
      await at().save(handle, data, never);
      await at().save(handle, Uint8Array.from(data), never);
      expectBytes(await at().load(handle, undefined, never), data);
    }
  });
  it("refuses other content and keeps the first", async () => {
    const first = randomBytes(3000);
    const lastByteDiffers = Uint8Array.from(first);
    lastByteDiffers[2999] ^= 1;
    const others = [
      lastByteDiffers,
      first.subarray(0, 2999),
      Buffer.concat([first, Buffer.of(0)]),
      new Uint8Array(0),
    ];
    for (const handle of [config, suite.handle("data", first), suite.free()]) {
      await at().save(handle, first, never);
      for (const other of others)
        await expect(at().save(handle, other, never)).rejects.toMatchObject({
          code: "STORE_EXISTS",
        });
      expectBytes(await at().load(handle, undefined, never), first);
    }
  });
  it("refuses content for an empty file", async () => {
    const handle = suite.handle("keys", new Uint8Array(0));
    await at().save(handle, new Uint8Array(0), never);
    await expect(at().save(handle, Uint8Array.of(1), never)).rejects.toMatchObject({
      code: "STORE_EXISTS",
    });
    expect(await at().stat(handle, never)).toBe(0);
  });
  it("lets all of several saves of the same at once succeed", async () => {
    const data = randomBytes(300_000);
    const handle = suite.handle("data", data);
    await Promise.all(Array.from({ length: 8 }, () => at().save(handle, data, never)));
    expectBytes(await at().load(handle, undefined, never), data);
    expect(await listed(at(), "data")).toEqual([{ name: handle.name, size: data.length }]);
  });
  it("lets one of several different saves at once win, whole", async () => {
    const handle = suite.free();
    const contents = Array.from({ length: 8 }, (_, i) => new Uint8Array(200_000).fill(i + 1));
    const outcomes = await Promise.allSettled(
      contents.map((data) => at().save(handle, data, never)),
    );
    const loaded = await at().load(handle, undefined, never);
    expectBytes(loaded, contents[loaded[0] - 1]);
    const failures = outcomes.filter((outcome) => outcome.status === "rejected");
    for (const failure of failures) expect(failure.reason).toMatchObject({ code: "STORE_EXISTS" });
    if (at().capabilities.atomicCreate) {
      expect(failures).toHaveLength(7);
      expect(outcomes[loaded[0] - 1].status).toBe("fulfilled");
    }
  });
}

function describeLoading(suite: Suite): void {
  const { at } = suite;
  it("returns exactly the range that was asked for", async () => {
    const data = randomBytes(5000);
    const handle = suite.handle("data", data);
    await at().save(handle, data, never);
    const anyRange = fc
      .tuple(fc.nat(4999), fc.nat(5000))
      .map(([offset, any]) => ({ offset, length: 1 + (any % (5000 - offset)) }));
    await fc.assert(
      fc.asyncProperty(anyRange, async (range) => {
        expectBytes(
          await at().load(handle, range, never),
          data.subarray(range.offset, range.offset + range.length),
        );
      }),
      { numRuns: 60, examples: [[{ offset: 0, length: 5000 }], [{ offset: 4999, length: 1 }]] },
    );
  });
  it("refuses a range that goes beyond the end", async () => {
    const data = randomBytes(5000);
    const handle = suite.handle("data", data);
    await at().save(handle, data, never);
    const empty = suite.handle("data", new Uint8Array(0));
    await at().save(empty, new Uint8Array(0), never);
    const ranges = [
      { offset: 0, length: 5001 },
      { offset: 4999, length: 2 },
      { offset: 5000, length: 1 },
      { offset: 1_000_000, length: 10 },
      { offset: 2 ** 52, length: 1 },
      { offset: 0, length: loadBytesMax + 1 },
    ];
    for (const range of ranges) {
      await expect(at().load(handle, range, never)).rejects.toMatchObject({ code: "STORE_RANGE" });
      await expect(at().load(empty, range, never)).rejects.toMatchObject({ code: "STORE_RANGE" });
    }
  });
  it("says that a missing file is not there", async () => {
    const absent = named.map((type) => suite.handle(type, randomBytes(8)));
    for (const handle of [config, ...absent]) {
      await expect(at().load(handle, undefined, never)).rejects.toMatchObject({
        code: "STORE_NOT_FOUND",
      });
      await expect(at().load(handle, { offset: 0, length: 1 }, never)).rejects.toMatchObject({
        code: "STORE_NOT_FOUND",
      });
      expect(await at().stat(handle, never)).toBeUndefined();
    }
  });
  it("tells types with the same name apart", async () => {
    const first = Uint8Array.of(1);
    const second = suite.traits.hashNames === true ? first : Uint8Array.of(2, 2);
    const { name } = suite.handle("index", first);
    await at().save({ type: "locks", name }, first, never);
    await at().save({ type: "snapshots", name }, second, never);
    expect(await at().stat({ type: "locks", name }, never)).toBe(first.length);
    expect(await at().stat({ type: "snapshots", name }, never)).toBe(second.length);
    expect(await at().stat({ type: "data", name }, never)).toBeUndefined();
    await at().remove({ type: "locks", name }, never);
    expect(await at().stat({ type: "snapshots", name }, never)).toBe(second.length);
  });
}

function describeListing(suite: Suite): void {
  const { at } = suite;
  it("lists nothing where nothing is", async () => {
    for (const type of fileTypes) expect(await listed(at(), type)).toEqual([]);
  });
  it("lists every file of a type once, with its size, and no other", async () => {
    const expected = new Map<FileType, { name: string; size: number }[]>();
    await at().save(config, Uint8Array.of(1), never);
    for (const [t, type] of suite.types.entries()) {
      const files = Array.from({ length: 3 + t }, (_, i) => ({
        name: suite.handle(type, new Uint8Array(i * 10 + t)).name,
        size: i * 10 + t,
      }));
      expected.set(type, files);
      for (const { name, size } of files)
        await at().save({ type, name }, new Uint8Array(size), never);
    }
    for (const type of suite.types)
      expect(await listed(at(), type)).toEqual(expected.get(type)?.sort(byName));
    expect(await listed(at(), "config")).toEqual([]);
  });
  it("lists more files than any batch holds", async () => {
    const files = Array.from({ length: 300 }, (_, i) => {
      const data = Buffer.from(`file ${i}`);
      return { handle: suite.handle("snapshots", data), data };
    });
    const names = files.map(({ handle }) => handle.name);
    for (let i = 0; i < files.length; i += 20)
      await Promise.all(
        files.slice(i, i + 20).map(({ handle, data }) => at().save(handle, data, never)),
      );
    const found = await listed(at(), "snapshots");
    expect(found.map((file) => file.name)).toEqual(names.sort());
  });
  it("lets the consumer of a list stop early", async () => {
    await saveMany(suite, "keys", 5);
    for await (const file of at().list("keys", never)) {
      expect(file.size).toBe(1);
      break;
    }
    expect(await listed(at(), "keys")).toHaveLength(5);
  });
  it("lets the consumer of a list remove and save while it goes on", async () => {
    await saveMany(suite, "locks", 20);
    const seen = new Set<string>();
    for await (const { name } of at().list("locks", never)) {
      expect(seen.has(name)).toBe(false);
      seen.add(name);
      await at().remove({ type: "locks", name }, never);
      await at().save(suite.handle("index", Uint8Array.of(1)), Uint8Array.of(1), never);
    }
    expect(seen.size).toBe(20);
    expect(await listed(at(), "locks")).toEqual([]);
  });
}

function describeRemoving(suite: Suite): void {
  const { at } = suite;
  it("removes a file, and what is not there too", async () => {
    const handles = suite.removable.map((type) => suite.handle(type, Uint8Array.of(1)));
    if (suite.traits.appendOnly !== true) handles.push(config);
    for (const handle of handles) {
      await at().remove(handle, never);
      await at().save(handle, Uint8Array.of(1), never);
      await at().remove(handle, never);
      await at().remove(handle, never);
      expect(await at().stat(handle, never)).toBeUndefined();
      await expect(at().load(handle, undefined, never)).rejects.toMatchObject({
        code: "STORE_NOT_FOUND",
      });
      expect(await listed(at(), handle.type)).toEqual([]);
    }
  });
  it("takes other content under a name whose file was removed, or removes none", async () => {
    const handle = suite.free();
    await at().save(handle, Uint8Array.of(1), never);
    if (suite.traits.appendOnly === true) {
      const denied = { code: "STORE_DENIED" };
      await expect(at().remove(handle, never)).rejects.toMatchObject(denied);
      expectBytes(await at().load(handle, undefined, never), Uint8Array.of(1));
      return;
    }
    await at().remove(handle, never);
    await at().save(handle, Uint8Array.of(2, 3), never);
    expectBytes(await at().load(handle, undefined, never), Uint8Array.of(2, 3));
  });
  it("removes one file only", async () => {
    const [type] = suite.removable;
    const first = suite.handle(type, Uint8Array.of(1));
    const second = suite.handle(type, Uint8Array.of(2));
    await at().save(first, Uint8Array.of(1), never);
    await at().save(second, Uint8Array.of(2), never);
    await at().remove(first, never);
    expect(await listed(at(), type)).toEqual([{ name: second.name, size: 1 }]);
  });
  it("sweeps without touching stored files", async () => {
    const handles = [config, ...suite.types.map((type) => suite.handle(type, Uint8Array.of(1)))];
    for (const handle of handles) await at().save(handle, Uint8Array.of(1), never);
    expect(await at().sweep(never)).toBe(0);
    for (const handle of handles) expect(await at().stat(handle, never)).toBe(1);
  });
}

function describeRefusing(suite: Suite): void {
  const { at } = suite;
  const badHandles: Handle[] = [
    ...badNames.flatMap((name) =>
      named.filter((type) => type !== "backstay").map((type) => ({ type, name })),
    ),
    ...badOwnNames.map((name) => ({ type: "backstay" as const, name })),
    { type: "config", name: "config" },
    { type: "config", name: "../config" },
    { type: "__proto__" as FileType, name: "a".repeat(64) },
    { type: ".." as FileType, name: "a".repeat(64) },
  ];
  it("refuses every name that is not a file's, whatever is asked", async () => {
    for (const handle of badHandles) {
      const calls = [
        at().save(handle, Uint8Array.of(1), never),
        at().load(handle, undefined, never),
        at().stat(handle, never),
        at().remove(handle, never),
      ];
      for (const outcome of await Promise.allSettled(calls))
        expect([handle, outcome]).toMatchObject([
          handle,
          { status: "rejected", reason: { code: "INTERNAL" } },
        ]);
    }
    for (const type of fileTypes) expect(await listed(at(), type)).toEqual([]);
  });
  it("refuses to list what is no type", async () => {
    for (const type of ["", "..", "tmp", "constructor"])
      await expect(listed(at(), type as FileType)).rejects.toMatchObject({ code: "INTERNAL" });
  });
  it("refuses ranges that are none", async () => {
    const data = randomBytes(100);
    const handle = suite.handle("data", data);
    await at().save(handle, data, never);
    for (const [offset, length] of [
      [0, 0],
      [-1, 5],
      [0, -5],
      [0.5, 2],
      [0, 2.5],
      [Number.NaN, 1],
      [0, Number.POSITIVE_INFINITY],
      [Number.MAX_SAFE_INTEGER, 1],
    ])
      await expect(at().load(handle, { offset, length }, never)).rejects.toMatchObject({
        code: "INTERNAL",
      });
  });
}

function describeAborting(suite: Suite): void {
  const { at } = suite;
  it("does nothing for a signal that is aborted already, and passes its reason on", async () => {
    const present = suite.handle("index", Uint8Array.of(1));
    const absent = suite.handle("index", Uint8Array.of(2));
    await at().save(present, Uint8Array.of(1), never);
    const reason = new Error("the reason");
    const aborted = AbortSignal.abort(reason);
    await expect(at().create(aborted)).rejects.toBe(reason);
    await expect(at().save(absent, Uint8Array.of(2), aborted)).rejects.toBe(reason);
    await expect(at().load(present, undefined, aborted)).rejects.toBe(reason);
    await expect(at().stat(present, aborted)).rejects.toBe(reason);
    await expect(at().remove(present, aborted)).rejects.toBe(reason);
    await expect(at().sweep(aborted)).rejects.toBe(reason);
    await expect(Array.fromAsync(at().list("index", aborted))).rejects.toBe(reason);
    expect(await listed(at(), "index")).toEqual([{ name: present.name, size: 1 }]);
  });
  it("leaves a whole file or none when a save is aborted on the way", async () => {
    const names: string[] = [];
    for (const delayMs of [0, 1, 3, 10, 30]) {
      const data = randomBytes(12 * mebibyte);
      const handle = suite.handle("data", data);
      names.push(handle.name);
      const controller = new AbortController();
      const reason = new Error("the reason");
      const saving = at().save(handle, data, controller.signal);
      setTimeout(() => controller.abort(reason), delayMs);
      const failure: unknown = await saving.then(
        () => undefined,
        (error: unknown) => error,
      );
      const size = await at().stat(handle, never);
      if (failure === undefined) expect(size).toBe(data.length);
      else expect(failure).toBe(reason);
      if (size !== undefined) expectBytes(await at().load(handle, undefined, never), data);
      await at().save(handle, data, never);
      expectBytes(await at().load(handle, undefined, never), data);
    }
    expect((await listed(at(), "data")).map((file) => file.name)).toEqual(names.sort());
  });
  it("gives the reason or the whole file when a load is aborted on the way", async () => {
    const data = randomBytes(12 * mebibyte);
    const handle = suite.handle("data", data);
    await at().save(handle, data, never);
    for (const delayMs of [0, 2, 5]) {
      const controller = new AbortController();
      const reason = new Error("the reason");
      const loading = at().load(handle, undefined, controller.signal);
      setTimeout(() => controller.abort(reason), delayMs);
      const outcome: unknown = await loading.catch((error: unknown) => error);
      if (outcome instanceof Uint8Array) expectBytes(outcome, data);
      else expect(outcome).toBe(reason);
    }
  });
  it("never passes off a list that was aborted as a complete one", async () => {
    await saveMany(suite, "keys", 10);
    const controller = new AbortController();
    const reason = new Error("the reason");
    let count = 0;
    const failure: unknown = await (async () => {
      for await (const _ of at().list("keys", controller.signal)) {
        count += 1;
        controller.abort(reason);
      }
    })().catch((error: unknown) => error);
    if (failure === undefined) expect(count).toBe(10);
    else expect(failure).toBe(reason);
  });
}

let handlesMade = 0;

/** Saves so many files of one byte each. */
async function saveMany(suite: Suite, type: FileType, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1)
    await suite.at().save(suite.handle(type, Uint8Array.of(i)), Uint8Array.of(i), never);
}

async function listed(
  store: ObjectStore,
  type: FileType,
): Promise<{ name: string; size: number }[]> {
  const files = await Array.fromAsync(store.list(type, never), ({ name, size }) => ({
    name,
    size,
  }));
  return files.sort(byName);
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

/** Compares as bytes: vitest's own comparison of megabytes takes seconds. */
function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length);
  if (Buffer.compare(actual, expected) === 0) return;
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  expect.fail(`byte ${at} is ${actual[at]}, expected ${expected[at]}`);
}
