import { randomBytes } from "node:crypto";
import { beforeAll, expect, it } from "vitest";
import { type Radosgw, radosgwAdmin } from "../../test/object-storage/radosgw.ts";
import {
  describeWithPrograms,
  radosgwPrograms,
} from "../../test/object-storage/server-programs.ts";
import { sharedRadosgw } from "../../test/object-storage/shared-server.ts";
import { openInspection } from "../open-inspection.ts";
import { type OpenStoreOptions, openStore } from "../open-store.ts";
import type { PlaceFinding } from "../place-finding.ts";
import { s3Place } from "./s3-address.ts";
import { S3Connection } from "./s3-connection.ts";
import { lifecycleFinding } from "./s3-lifecycle-finding.ts";

const never = new AbortController().signal;

async function inspect(
  url: string,
  environment: Readonly<Record<string, string>>,
  options: OpenStoreOptions = {},
): Promise<PlaceFinding[]> {
  const inspection = openInspection(url, { environment, ...options });
  try {
    return await Array.fromAsync(inspection.findings(never));
  } finally {
    await inspection.close();
  }
}

const verdicts = (findings: readonly PlaceFinding[]): string[] =>
  findings.map(({ check, verdict }) => `${check} ${verdict}`);
const of = (findings: readonly PlaceFinding[], check: string): PlaceFinding | undefined =>
  findings.find((each) => each.check === check);

describeWithPrograms("a place at Ceph's gateway", radosgwPrograms, () => {
  let server: Radosgw;
  let bucket = "";
  let place = "";
  beforeAll(async () => {
    server = await sharedRadosgw();
    bucket = `inspected-${randomBytes(4).toString("hex")}`;
    place = `${server.url}/${bucket}/below`;
    const store = openStore(`s3:${place}`, {
      environment: server.environment,
      retention: { mode: "governance", days: 1 },
    });
    await store.create(never);
    await store.close();
  });

  async function change(act: (connection: S3Connection) => Promise<unknown>): Promise<void> {
    const { environment } = server;
    const connection = new S3Connection(s3Place(place, environment), { environment });
    await act(connection);
    await connection.close();
  }

  it("is found good when it is, and nothing of the test stays", async () => {
    const findings = await inspect(`s3:${place}`, server.environment);
    const good = ["reach", "clock", "account-kind", "list", "write", "read", "create-only"];
    good.push("remove", "versioning", "retention-lock", "lifecycle", "storage-class");
    // Ceph before version 20 replaces objects without a word.
    const isOlder = of(findings, "create-only")?.verdict === "warning";
    expect(verdicts(findings)).toEqual(
      good.map((check) => `${check} ${isOlder && check === "create-only" ? "warning" : "good"}`),
    );
    expect(of(findings, "versioning")?.found).toContain("Versions are kept");
    expect(of(findings, "retention-lock")?.found).toBe("Objects can be locked.");
    const store = openStore(`s3:${place}`, { environment: server.environment });
    expect(await Array.fromAsync(store.list("backstay", never))).toEqual([]);
    await store.close();
  });

  it("is bad without locks only where backups are to be locked", async () => {
    const loose = `s3:${server.url}/loose-${bucket}/x`;
    const { environment } = server;
    const store = openStore(loose, { environment });
    await store.create(never);
    await store.close();
    const verdict = async (options: OpenStoreOptions) =>
      of(await inspect(loose, environment, options), "retention-lock")?.verdict;
    expect(await verdict({})).toBe("good");
    expect(await verdict({ retention: { mode: "governance", days: 1 } })).toBe("bad");
  });

  it("is bad when rules of the bucket would remove what is there", async () => {
    await change((connection) =>
      connection.send(
        ({ PutBucketLifecycleConfigurationCommand }) =>
          new PutBucketLifecycleConfigurationCommand({
            Bucket: bucket,
            LifecycleConfiguration: {
              Rules: [
                {
                  ID: "thirty",
                  Status: "Enabled",
                  Filter: { Prefix: "" },
                  Expiration: { Days: 30 },
                },
              ],
            },
          }),
        {},
        never,
      ),
    );
    const found = of(await inspect(`s3:${place}`, server.environment), "lifecycle");
    expect(found).toMatchObject({ verdict: "bad" });
    expect(found?.found).toContain('"thirty"');
    expect(found?.remedy).toBeTruthy();
    await change((connection) =>
      connection.send(
        ({ DeleteBucketLifecycleCommand }) => new DeleteBucketLifecycleCommand({ Bucket: bucket }),
        {},
        never,
      ),
    );
  });

  it("is bad when its bucket is not there, and made by nobody", async () => {
    const missing = `s3:${server.url}/missing-${randomBytes(4).toString("hex")}`;
    for (const _again of [1, 2])
      expect(verdicts(await inspect(missing, server.environment))).toEqual(["reach bad"]);
    expect(verdicts(await inspect("s3:http://127.0.0.1:9/bucket", server.environment))).toEqual([
      "reach bad",
    ]);
  });

  it("tells an account that may not write, or may do nothing, what it can't do", async () => {
    const keys = ["--access-key=reader123", "--secret-key=readersecret456"];
    const user = `reader-${bucket}`;
    await radosgwAdmin(server, "user", "create", `--uid=${user}`, "--display-name=reader", ...keys);
    const environment = {
      AWS_ACCESS_KEY_ID: "reader123",
      AWS_SECRET_ACCESS_KEY: "readersecret456",
    };
    expect(verdicts(await inspect(`s3:${place}`, environment)).slice(3)).toEqual([
      "list bad",
      "write bad",
      ...["versioning", "retention-lock", "lifecycle", "storage-class"].map(
        (check) => `${check} unknown`,
      ),
    ]);
    const statement = {
      Effect: "Allow",
      Principal: { AWS: [`arn:aws:iam:::user/${user}`] },
      Action: ["s3:GetObject", "s3:ListBucket"],
      Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
    };
    await change((connection) =>
      connection.send(
        ({ PutBucketPolicyCommand }) =>
          new PutBucketPolicyCommand({
            Bucket: bucket,
            Policy: JSON.stringify({ Version: "2012-10-17", Statement: [statement] }),
          }),
        {},
        never,
      ),
    );
    const findings = await inspect(`s3:${place}`, environment);
    expect(verdicts(findings)).toContain("list good");
    expect(of(findings, "write")).toMatchObject({ verdict: "bad" });
    expect(of(findings, "write")?.found).toContain("can still be restored");
    const wrong = { ...environment, AWS_SECRET_ACCESS_KEY: "another-secret" };
    const refused = await inspect(`s3:${place}`, wrong);
    expect(verdicts(refused)).toContain("write bad");
    expect(JSON.stringify(refused)).not.toContain("another-secret");
  });
});

it("rules count that are on, concern the prefix, and remove or move objects", () => {
  const on = { Status: "Enabled" as const };
  const verdict = (rule: object, prefix = "backups/"): string =>
    lifecycleFinding([{ ...on, ...rule }], prefix).verdict;
  const days = { Expiration: { Days: 3 } };
  expect(verdict(days)).toBe("bad");
  expect(verdict({ ...days, Status: "Disabled" })).toBe("good");
  expect(verdict({ ...days, Filter: { Prefix: "backups/main/" } })).toBe("bad");
  expect(verdict({ ...days, Filter: { And: { Prefix: "other/" } } })).toBe("good");
  expect(verdict({ ...days, Prefix: "back" })).toBe("bad");
  expect(verdict(days, "")).toBe("bad");
  expect(verdict({ Expiration: { ExpiredObjectDeleteMarker: true } })).toBe("good");
  expect(verdict({ NoncurrentVersionExpiration: { NoncurrentDays: 3 } })).toBe("good");
  expect(verdict({ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 3 } })).toBe("good");
  expect(verdict({ Transitions: [{ Days: 3, StorageClass: "GLACIER" }] })).toBe("bad");
  expect(verdict({ Transitions: [{ Days: 3, StorageClass: "STANDARD_IA" }] })).toBe("warning");
});

it("a Snow device is refused before anything is sent to it", () => {
  expect(() =>
    openInspection("s3:https://192.0.2.1/bucket", { environment: { AWS_REGION: "snow" } }),
  ).toThrow(expect.objectContaining({ code: "STORE_UNSUPPORTED" }) as Error);
});
