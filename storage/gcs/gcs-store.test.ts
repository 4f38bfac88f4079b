/** The store against our own stand-in for Google's storage, see test/object-storage/google-fake. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openClock } from "../../platform/open-clock.ts";
import { failure } from "../../test/object-storage/call-failure.ts";
import type { FakeBucket } from "../../test/object-storage/google-fake/fake-bucket.ts";
import { FakeGoogle } from "../../test/object-storage/google-fake/fake-google.ts";
import type { Handle, ObjectStore } from "../object-store.ts";
import { type OpenStoreOptions, openStore } from "../open-store.ts";
import { RequestCounts } from "../request-counts.ts";
import { RetryStore } from "../retry/retry-store.ts";
import { describeStoreContract } from "../store-contract.ts";

const never = new AbortController().signal;
const mebibyte = 1024 * 1024;
const dayMs = 86_400_000;

let fake: FakeGoogle;
let bucket: FakeBucket;
let store: ObjectStore | undefined;
beforeAll(async () => {
  fake = await FakeGoogle.start();
});
afterAll(async () => await fake.stop());
beforeEach(() => {
  bucket = fake.bucket(`place-${randomUUID()}`);
  fake.requests.length = 0;
});
afterEach(async () => {
  await store?.close();
  store = undefined;
  const { left } = fake.failures;
  fake.failures.clear();
  // Every failure that a test planned did happen.
  expect(left).toEqual([]);
});

function open(options: OpenStoreOptions = {}): ObjectStore {
  store = openStore(`gs:${bucket.name}:/some/prefix`, {
    environment: { STORAGE_EMULATOR_HOST: fake.url },
    ...options,
  });
  return store;
}

/** With retries that hardly wait. */
function patient(options: OpenStoreOptions = {}): ObjectStore {
  const inner = open(options);
  return new RetryStore(inner, { clock: openClock(), random: Math.random, firstDelayMsMax: 1 });
}

function handleOf(data: Uint8Array, type: Handle["type"] = "data"): Handle {
  return { type, name: createHash("sha256").update(data).digest("hex") };
}

async function expectStored(handle: Handle, data: Uint8Array): Promise<void> {
  const opened = store ?? expect.fail("no store is open");
  expect(Buffer.compare(await opened.load(handle, undefined, never), data)).toBe(0);
}

describeStoreContract("GcsStore", async () => open());

describe("what is stored at Google", () => {
  it("has restic's layout below the prefix, its checksum, and a class for packs only", async () => {
    const opened = open({ storageClass: "NEARLINE" });
    const data = randomBytes(1000);
    await opened.save(handleOf(data), data, never);
    await opened.save(handleOf(data, "index"), data, never);
    const { name } = handleOf(data);
    const pack = bucket.object(`some/prefix/data/${name.slice(0, 2)}/${name}`);
    expect(pack.settings.storageClass).toBe("NEARLINE");
    expect(pack.settings.crc32c).toBe(pack.crc32c);
    expect(bucket.object(`some/prefix/index/${name}`).settings.storageClass).toBeUndefined();
  });
  it("is listed in pages, without what is none of ours", async () => {
    const opened = open();
    const names = Array.from({ length: 2345 }, (_, i) => handleOf(Buffer.from(`pack ${i}`)).name);
    for (const name of names)
      bucket.insert(`some/prefix/data/${name.slice(0, 2)}/${name}`, Buffer.from("12"), {}, {});
    for (const strange of ["data/readme", `data/ff/${"0".repeat(64)}`, `data/${names[0]}`, "data/"])
      bucket.insert(`some/prefix/${strange}`, Buffer.from("1"), {}, {});
    const found = await Array.fromAsync(opened.list("data", never));
    expect(found.map(({ name }) => name).sort()).toEqual(names.sort());
    expect(fake.requests.filter((request) => request.includes("/o?prefix")).length).toBe(3);
  });
  it("takes few requests, and they are counted by what Google charges", async () => {
    const counts = new RequestCounts();
    const opened = open({ counts });
    const small = randomBytes(1000);
    const big = randomBytes(9 * mebibyte);
    await opened.save(handleOf(small), small, never);
    await opened.save(handleOf(big), big, never);
    await opened.load(handleOf(small), undefined, never);
    await opened.stat(handleOf(small), never);
    await Array.fromAsync(opened.list("data", never));
    await opened.remove(handleOf(small), never);
    const { requests, bytesUp, bytesDown } = counts.sums;
    expect(requests).toEqual({ put: 2, get: 1, list: 1, head: 1, delete: 1, other: 2 });
    expect(fake.requests).toHaveLength(8);
    expect(bytesUp).toBeGreaterThan(small.length + big.length);
    expect(bytesDown).toBeGreaterThan(small.length);
  });
});

describe("an upload", () => {
  it("goes on where it was cut, and sends little twice", async () => {
    const data = randomBytes(20 * mebibyte);
    fake.failures.plan("storage.objects.upload", "return-503-after-3000K");
    const before = fake.uploads.arrivedBytes;
    await open().save(handleOf(data), data, never);
    await expectStored(handleOf(data), data);
    expect(fake.uploads.arrivedBytes - before).toBeLessThan(data.length + 6 * mebibyte);
  });
  it("survives a connection that breaks, an answer that is lost, and an end that is cut", async () => {
    for (const instruction of [
      "return-reset-connection",
      "lose-answer",
      "return-broken-stream-final-chunk-after-600000B",
      "return-429-retry-after-1",
    ]) {
      const data = randomBytes(9 * mebibyte);
      fake.failures.plan("storage.objects.upload", instruction);
      await open().save(handleOf(data), data, never);
      await expectStored(handleOf(data), data);
      expect(fake.failures.left).toEqual([]);
    }
  });
  it("begins anew when its session is forgotten", async () => {
    const data = randomBytes(9 * mebibyte);
    fake.failures.plan("storage.objects.upload", "return-410", "return-404");
    const saving = patient();
    await saving.save(handleOf(data), data, never);
    await expectStored(handleOf(data), data);
    const begun = /^POST .*uploadType=resumable/;
    expect(fake.requests.filter((request) => begun.test(request)).length).toBe(3);
  });
  it("of which another byte arrives is refused by Google, and sent again", async () => {
    for (const [size, operation] of [
      [1000, "storage.objects.insert"],
      [9 * mebibyte, "storage.objects.upload"],
    ] as const) {
      const data = randomBytes(size);
      fake.failures.plan(operation, "change-upload");
      expect(await failure(open().save(handleOf(data), data, never))).toMatchObject({
        code: "STORE_UNAVAILABLE",
      });
      expect(await open().stat(handleOf(data), never)).toBeUndefined();
      await patient().save(handleOf(data), data, never);
      await expectStored(handleOf(data), data);
    }
  });
  it("whose answer was lost is found to be done", async () => {
    const data = randomBytes(1000);
    fake.failures.plan("storage.objects.insert", "lose-answer", "return-503", "return-429");
    await patient().save(handleOf(data), data, never);
    await expectStored(handleOf(data), data);
  });
  it("that comes too late finds the name taken, and leaves what is there", async () => {
    const name = handleOf(Buffer.from("any")).name;
    const data = randomBytes(9 * mebibyte);
    const path = `some/prefix/locks/${name}`;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield data.subarray(0, 8.5 * mebibyte);
      bucket.insert(path, Buffer.from("faster"), {}, {});
      yield data.subarray(8.5 * mebibyte);
    };
    const outcome = await open().streamed?.receive(
      { type: "locks", name },
      data.length,
      source(),
      never,
    );
    expect(outcome).toBe("exists");
    expect(Buffer.from(bucket.object(path).content).toString()).toBe("faster");
  });
  it("that is given up leaves nothing open", async () => {
    const data = randomBytes(17 * mebibyte);
    const failed = new Error("no more");
    const openBefore = fake.uploads.open;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield data.subarray(0, 9 * mebibyte);
      throw failed;
    };
    const receiving = open().streamed?.receive(handleOf(data), data.length, source(), never);
    await expect(receiving).rejects.toBe(failed);
    await expect.poll(() => fake.uploads.open, { timeout: 20_000 }).toBe(openBefore);
  });
  it("passes what is not as long as was said on to nobody", async () => {
    for (const [said, given] of [
      [100, 99],
      [100, 101],
      [9 * mebibyte, 9 * mebibyte - 1],
      [9 * mebibyte, 9 * mebibyte + 1],
    ]) {
      const data = randomBytes(given);
      const source = async function* (): AsyncGenerator<Uint8Array> {
        yield data;
      };
      const receiving = open().streamed?.receive(handleOf(data), said, source(), never);
      expect((await failure(receiving ?? expect.fail())).code).toBe("STORE_UNAVAILABLE");
      expect(await open().stat(handleOf(data), never)).toBeUndefined();
    }
  });
});

describe("a download", () => {
  it("that is cut, or of which another byte arrives, is noticed and can be tried again", async () => {
    const data = randomBytes(3 * mebibyte);
    await open().save(handleOf(data), data, never);
    for (const instruction of [
      "return-broken-stream",
      "return-broken-stream-after-1K",
      "return-corrupted-data",
      "return-reset-connection",
      "return-500",
    ]) {
      fake.failures.plan("storage.objects.get", instruction);
      const loading = open().load(handleOf(data), undefined, never);
      expect([instruction, (await failure(loading)).code]).toEqual([
        instruction,
        "STORE_UNAVAILABLE",
      ]);
      fake.failures.plan("storage.objects.get", instruction);
      const opened = open().streamed;
      const read = async (): Promise<unknown> => {
        const object = await opened?.open(handleOf(data), undefined, never);
        return object?.body.toArray();
      };
      expect((await failure(read())).code).toBe("STORE_UNAVAILABLE");
      fake.failures.plan("storage.objects.get", instruction);
      expect(Buffer.compare(await patient().load(handleOf(data), undefined, never), data)).toBe(0);
    }
  });
  it("in which nothing moves any more is given up", async () => {
    const { GcsStore } = await import("./gcs-store.ts");
    const data = randomBytes(100_000);
    await open().save(handleOf(data), data, never);
    fake.failures.plan("storage.objects.get", "stall-for-600s-after-10K");
    const impatient = GcsStore.open(`${bucket.name}:/some/prefix`, {
      environment: { STORAGE_EMULATOR_HOST: fake.url },
      silenceMs: 300,
    });
    const loading = impatient.load(handleOf(data), undefined, never);
    expect((await failure(loading)).code).toBe("STORE_UNAVAILABLE");
    await impatient.close();
  });
});

describe("what Google says", () => {
  const data = Buffer.from("content");
  const act: Record<string, (opened: ObjectStore) => Promise<unknown>> = {
    "storage.objects.insert": (opened) => opened.save(handleOf(data), data, never),
    "storage.objects.get": (opened) => opened.load(handleOf(data), undefined, never),
    "storage.objects.list": (opened) => Array.fromAsync(opened.list("data", never)),
    "storage.objects.delete": (opened) => opened.remove(handleOf(data), never),
  };
  it("about too much, and about what is broken there, may be tried again when it is told", async () => {
    for (const operation of Object.keys(act) as (keyof typeof act)[])
      for (const status of [408, 429, 500, 502, 503, 504]) {
        fake.failures.plan(operation as "storage.objects.get", `return-${status}-retry-after-7`);
        expect([operation, status, await failure(act[operation](open()))]).toMatchObject([
          operation,
          status,
          { code: "STORE_UNAVAILABLE", kind: "temporary", context: { status, retryAfterMs: 7000 } },
        ]);
      }
  });
  it("about one object that is written too often, may be tried again", async () => {
    bucket.limitsWrites = true;
    const opened = open();
    const handle = handleOf(data, "locks");
    await opened.save(handle, data, never);
    expect(await failure(opened.remove(handle, never))).toMatchObject({
      code: "STORE_UNAVAILABLE",
      context: { status: 429, reason: "rateLimitExceeded" },
    });
    fake.clockOffsetMs += 2000;
    await opened.remove(handle, never);
  });
  it("about a bucket that is none, is that the place is missing", async () => {
    store = openStore("gs:no-such-bucket:/", { environment: { STORAGE_EMULATOR_HOST: fake.url } });
    for (const acted of [
      ...Object.values(act),
      async (opened: ObjectStore) => await opened.stat(handleOf(data), never),
      async (opened: ObjectStore) => await opened.create(never),
    ])
      expect((await failure(acted(store))).code).toBe("STORE_MISSING");
  });
  it("about holds and retention, is clear and not tried again", async () => {
    const opened = open();
    const handle = handleOf(data);
    await opened.save(handle, data, never);
    const path = `some/prefix/data/${handle.name.slice(0, 2)}/${handle.name}`;
    bucket.patch(path, { temporaryHold: true }, {}, false);
    const held = await failure(opened.remove(handle, never));
    expect(held).toMatchObject({ code: "STORE_DENIED", kind: "permanent" });
    expect(held.message).toContain("somebody holds it");
    bucket.patch(path, { temporaryHold: false }, {}, false);
    bucket.settings.retentionSeconds = 3600;
    const kept = await failure(opened.remove(handle, never));
    expect(kept).toMatchObject({
      code: "STORE_DENIED",
      context: { reason: "retentionPolicyNotMet" },
    });
    expect(kept.message).toContain("it is locked");
  });
});

describe("a bucket that is not there yet", () => {
  it("is made where the project is known, safe by Google's present advice", async () => {
    const name = `new-${randomUUID()}`;
    store = openStore(`gs:${name}:/`, {
      environment: { STORAGE_EMULATOR_HOST: fake.url, GOOGLE_PROJECT_ID: "some-project" },
    });
    await store.create(never);
    await store.create(never);
    expect(fake.buckets.get(name)?.settings.uniformAccess).toBe(true);
    expect(fake.requests.some((request) => request.includes("project=some-project"))).toBe(true);
    expect(fake.buckets.get(name)?.settings.objectRetention).toBe(false);
  });

  it("can lock objects if they are to be locked", async () => {
    const name = `new-${randomUUID()}`;
    store = openStore(`gs:${name}:/`, {
      environment: { STORAGE_EMULATOR_HOST: fake.url, GOOGLE_PROJECT_ID: "some-project" },
      retention: { mode: "governance", days: 1 },
    });
    await store.create(never);
    expect(fake.buckets.get(name)?.settings.objectRetention).toBe(true);
  });
});

describe("locks for a time", () => {
  const data = Buffer.from("content");
  beforeEach(() => {
    bucket.settings.objectRetention = true;
  });
  it("are set on everything that is saved, but for locks of sessions", async () => {
    const opened = open({ retention: { mode: "compliance", days: 30 } });
    const locks = opened.retentionLocks ?? expect.fail("no locks");
    const big = randomBytes(9 * mebibyte);
    for (const [handle, content] of [
      [handleOf(data), data],
      [handleOf(big), big],
    ] as const) {
      await opened.save(handle, content, never);
      const untilMs = (await locks.lockedUntil(handle, never)) ?? 0;
      expect(Math.abs(untilMs - (Date.now() + 30 * dayMs))).toBeLessThan(600_000);
      expect((await failure(opened.remove(handle, never))).code).toBe("STORE_DENIED");
    }
    const session = handleOf(data, "locks");
    await opened.save(session, data, never);
    expect(await locks.lockedUntil(session, never)).toBeUndefined();
    await opened.remove(session, never);
  });
  it("are extended, never shortened, and made harder where the rule says so", async () => {
    const handle = handleOf(data);
    const softly = open({ retention: { mode: "governance", days: 1 } });
    const soft = softly.retentionLocks ?? expect.fail("no locks");
    await softly.save(handle, data, never);
    const farMs = Math.round(Date.now() / 1000) * 1000 + 90 * dayMs;
    await soft.extend(handle, farMs, never);
    expect(await soft.lockedUntil(handle, never)).toBe(farMs);
    fake.requests.length = 0;
    await soft.extend(handle, farMs - dayMs, never);
    expect(fake.requests).toHaveLength(1);
    await softly.close();
    const hard = open({ retention: { mode: "compliance", days: 1 } }).retentionLocks;
    await hard?.extend(handle, farMs - dayMs, never);
    expect(await hard?.lockedUntil(handle, never)).toBe(farMs);
    const path = `some/prefix/data/${handle.name.slice(0, 2)}/${handle.name}`;
    expect(bucket.object(path).settings.retention?.mode).toBe("Locked");
    const absent = handleOf(Buffer.from("absent"));
    for (const call of [hard?.extend(absent, farMs, never), hard?.lockedUntil(absent, never)])
      expect((await failure(call ?? expect.fail())).code).toBe("STORE_NOT_FOUND");
  });
  it("of the whole bucket count too", async () => {
    bucket.settings.retentionSeconds = 3600;
    const opened = open();
    await opened.save(handleOf(data), data, never);
    const untilMs = (await opened.retentionLocks?.lockedUntil(handleOf(data), never)) ?? 0;
    expect(untilMs).toBeGreaterThan(fake.nowMs);
  });
  it("are refused, and nothing is stored, where the bucket has none", async () => {
    bucket.settings.objectRetention = false;
    const opened = open({ retention: { mode: "governance", days: 1 } });
    const refused = await failure(opened.save(handleOf(data), data, never));
    expect(refused).toMatchObject({ code: "STORE_DENIED", context: { status: 400 } });
    expect(inspect(refused)).toContain("not enabled");
    expect(await opened.stat(handleOf(data), never)).toBeUndefined();
  });
});
