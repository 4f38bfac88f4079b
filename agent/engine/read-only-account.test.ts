/** An account of an object storage that may only list and read: everything can be restored and checked with it. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { s3Place } from "../../storage/s3/s3-address.ts";
import { S3Connection } from "../../storage/s3/s3-connection.ts";
import { EngineScene } from "../../test/engine/engine-scene.ts";
import { type Radosgw, radosgwAdmin } from "../../test/object-storage/radosgw.ts";
import {
  describeWithPrograms,
  radosgwPrograms,
} from "../../test/object-storage/server-programs.ts";
import { sharedRadosgw } from "../../test/object-storage/shared-server.ts";

const never = new AbortController().signal;

describeWithPrograms("with an account that may only read", radosgwPrograms, () => {
  const id = randomBytes(4).toString("hex");
  const reader = {
    AWS_ACCESS_KEY_ID: `reader-${id}`,
    AWS_SECRET_ACCESS_KEY: `secret-of-reader-${id}`,
  };
  let server: Radosgw;
  let scene: EngineScene;
  beforeAll(async () => {
    server = await sharedRadosgw();
    scene = new EngineScene();
    const keys = [`--access-key=${reader.AWS_ACCESS_KEY_ID}`];
    keys.push(`--secret-key=${reader.AWS_SECRET_ACCESS_KEY}`, "--display-name=reader");
    await radosgwAdmin(server, "user", "create", `--uid=reader-${id}`, ...keys);
  });
  afterAll(() => scene.remove());

  it("restores and checks", async () => {
    const bucket = `read-only-${id}`;
    const url = `s3:${server.url}/${bucket}/main`;
    const repository = (settings: Readonly<Record<string, string>>) => ({
      ...scene.order().repository,
      routes: [{ kind: "direct" as const, url, settings }],
    });
    const backup = scene.order({ repository: repository(server.environment) });
    expect((await scene.run(backup)).report).toMatchObject({ outcome: "success" });
    await allowReading(bucket);

    const target = path.join(scene.folder, "restored");
    const asReader = { repository: { ...repository(reader), create: false } };
    const restored = await scene.run({
      ...scene.order(asReader),
      work: {
        kind: "restore",
        hostName: "scene",
        snapshot: "latest",
        paths: [],
        target,
        onlyIntoEmpty: true,
        overwrite: "always",
        verify: true,
      },
    });
    expect(restored.report).toMatchObject({ outcome: "success" });
    const one = path.join(scene.source, "docs", "one");
    expect(readFileSync(path.join(target, one))).toEqual(readFileSync(one));
    const checked = await scene.run({
      ...scene.order(asReader),
      work: { kind: "check", data: "all" },
    });
    expect(checked.report).toMatchObject({ outcome: "success" });
  });

  async function allowReading(bucket: string): Promise<void> {
    const { environment } = server;
    const place = s3Place(`${server.url}/${bucket}`, environment);
    const connection = new S3Connection(place, { environment });
    const statement = {
      Effect: "Allow",
      Principal: { AWS: [`arn:aws:iam:::user/reader-${id}`] },
      Action: ["s3:GetObject", "s3:ListBucket"],
      Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
    };
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
    await connection.send(
      ({ PutBucketPolicyCommand }) => new PutBucketPolicyCommand({ Bucket: bucket, Policy }),
      {},
      never,
    );
    await connection.close();
  }
});
