import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type {
  BucketSettings,
  FakeBucket,
} from "../../test/object-storage/google-fake/fake-bucket.ts";
import { FakeGoogle } from "../../test/object-storage/google-fake/fake-google.ts";
import { openInspection } from "../open-inspection.ts";
import type { OpenStoreOptions } from "../open-store.ts";
import { type PlaceCheck, type PlaceFinding, placeChecks } from "../place-finding.ts";

const never = new AbortController().signal;
let fake: FakeGoogle;
let bucket: FakeBucket;
beforeAll(async () => {
  fake = await FakeGoogle.start({ wantsTokens: true });
});
afterAll(async () => await fake.stop());
beforeEach(() => {
  bucket = fake.bucket(`place-${randomUUID()}`);
});

async function findings(options: OpenStoreOptions = {}): Promise<PlaceFinding[]> {
  const inspection = openInspection(`gs:${bucket.name}:/some/prefix`, {
    environment: { STORAGE_EMULATOR_HOST: fake.url, GOOGLE_ACCESS_TOKEN: fake.tokens.issue() },
    ...options,
  });
  try {
    return await Array.fromAsync(inspection.findings(never));
  } finally {
    await inspection.close();
  }
}

/** What is found by one check where the bucket is set so. */
async function finding(
  check: PlaceCheck,
  settings: Partial<BucketSettings>,
  options: OpenStoreOptions = {},
): Promise<PlaceFinding> {
  Object.assign(bucket.settings, settings);
  const found = (await findings(options)).find((one) => one.check === check);
  return found ?? expect.fail(`nothing was found by ${check}`);
}

describe("the inspection of a place at Google", () => {
  it("finds a plain bucket good, in order, and leaves nothing there", async () => {
    const found = await findings();
    expect(found.filter(({ verdict }) => verdict !== "good")).toEqual([]);
    const checks = found.map(({ check }) => check);
    expect(checks).toEqual(placeChecks.filter((check) => checks.includes(check)));
    expect(checks).toHaveLength(placeChecks.length);
    expect(bucket.live.size).toBe(0);
  });
  it("ends where there is no bucket, or no way to one", async () => {
    fake.buckets.delete(bucket.name);
    expect(await findings()).toMatchObject([{ check: "reach", verdict: "bad" }]);
    const nowhere = { STORAGE_EMULATOR_HOST: "http://127.0.0.1:1", GOOGLE_ACCESS_TOKEN: "t" };
    expect(await findings({ environment: nowhere })).toMatchObject([
      { check: "reach", verdict: "bad" },
    ]);
  });
  it("says of an account that may only read that backups would fail, and what it can't see", async () => {
    const rights = ["storage.objects.get", "storage.objects.list"];
    const token = fake.tokens.issue(3_600_000, ({ permission }) => rights.includes(permission));
    const found = await findings({
      environment: { STORAGE_EMULATOR_HOST: fake.url, GOOGLE_ACCESS_TOKEN: token },
    });
    expect(found.find(({ check }) => check === "write")?.verdict).toBe("bad");
    expect(found.find(({ check }) => check === "list")?.verdict).toBe("good");
    for (const check of ["versioning", "retention-lock", "lifecycle", "soft-delete"])
      expect(found.find((one) => one.check === check)?.verdict).toBe("unknown");
  });
  it("finds a clock that is wrong", async () => {
    fake.clockOffsetMs = 3_600_000;
    const environment = {
      STORAGE_EMULATOR_HOST: fake.url,
      GOOGLE_ACCESS_TOKEN: fake.tokens.issue(),
    };
    const { verdict } = await finding("clock", {}, { environment });
    fake.clockOffsetMs = 0;
    expect(verdict).toBe("bad");
  });
  it("takes the two rules that Google adds with versioning as harmless, and no others", async () => {
    const added = [
      { action: { type: "Delete" }, condition: { numNewerVersions: 2 } },
      { action: { type: "Delete" }, condition: { daysSinceNoncurrentTime: 7 } },
    ];
    const unfinished = {
      action: { type: "AbortIncompleteMultipartUpload" },
      condition: { age: 7 },
    };
    const old = { action: { type: "Delete" }, condition: { age: 30 } };
    const moved = {
      action: { type: "SetStorageClass", storageClass: "ARCHIVE" },
      condition: { age: 30 },
    };
    const elsewhere = {
      action: { type: "Delete" },
      condition: { age: 1, matchesPrefix: ["other/"] },
    };
    const here = { action: { type: "Delete" }, condition: { age: 1, matchesPrefix: ["some/"] } };
    for (const [rules, verdict] of [
      [added, "good"],
      [[...added, unfinished, elsewhere], "good"],
      [[...added, old], "bad"],
      [[here], "bad"],
      [[moved], "warning"],
    ] as const)
      expect([
        rules,
        await finding("lifecycle", { versioning: true, lifecycleRules: [...rules] }),
      ]).toMatchObject([rules, { verdict }]);
    expect((await finding("versioning", {})).found).toContain("Versions are kept");
  });
  it("says whether objects can be locked, and when they are to be but can't", async () => {
    const retention = { mode: "compliance", days: 7 } as const;
    const check = "retention-lock";
    expect((await finding(check, {}, { retention })).verdict).toBe("bad");
    expect((await finding(check, { objectRetention: true }, { retention })).verdict).toBe("good");
    expect((await finding(check, { retentionSeconds: 86_400 })).verdict).toBe("warning");
  });
  it("tells of access lists, soft delete, and classes", async () => {
    expect((await finding("account-kind", { uniformAccess: false })).verdict).toBe("warning");
    expect((await finding("soft-delete", { softDeleteSeconds: 604_800 })).found).toContain(
      "7 days",
    );
    expect((await finding("storage-class", { storageClass: "NEARLINE" })).verdict).toBe("warning");
    const wrong = await finding("storage-class", {}, { storageClass: "GLACIER" });
    expect(wrong.verdict).toBe("bad");
  });
});
