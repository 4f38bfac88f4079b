/** The small server is S3 enough for the store, and lets in nobody else. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ObjectStore } from "../../../storage/object-store.ts";
import { openStore } from "../../../storage/open-store.ts";
import { describeStoreContract } from "../../../storage/store-contract.ts";
import { rawS3 } from "../raw-s3.ts";
import { StartedSmallS3 } from "./started-small-s3.ts";

const folder = mkdtempSync(path.join(tmpdir(), "backstay-small-s3-"));
let server: StartedSmallS3;
let places = 0;

beforeAll(async () => {
  server = await StartedSmallS3.start(folder, "backups");
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function open(): Promise<ObjectStore> {
  places += 1;
  const { environment, url } = server;
  return openStore(`s3:${url}/backups/place-${places}`, { environment });
}

describeStoreContract("S3Store over the small server", open, { hashNames: true });

it("refuses another account, and a signature of something else", async () => {
  const stranger = rawS3({
    url: server.url,
    environment: { AWS_ACCESS_KEY_ID: "nobody", AWS_SECRET_ACCESS_KEY: "nothing" },
  });
  const forger = rawS3({
    url: server.url,
    environment: { ...server.environment, AWS_SECRET_ACCESS_KEY: "guessed" },
  });
  const put = new PutObjectCommand({ Bucket: "backups", Key: "mine", Body: "text" });
  await expect(stranger.send(put)).rejects.toMatchObject({ name: "InvalidAccessKeyId" });
  await expect(forger.send(put)).rejects.toMatchObject({ name: "SignatureDoesNotMatch" });
  const owner = rawS3(server);
  const get = new GetObjectCommand({ Bucket: "backups", Key: "mine" });
  await expect(owner.send(get)).rejects.toMatchObject({ name: "NoSuchKey" });
});
