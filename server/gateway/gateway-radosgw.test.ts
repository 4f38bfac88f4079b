/** The gateway over a real object storage: the contract of stores behind its protocol, and the tests of its place. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openStore } from "../../storage/open-store.ts";
import { describeStoreContract } from "../../storage/store-contract.ts";
import { GatewayScene, hashed } from "../../test/gateway/gateway-scene.ts";
import { openUpload } from "../../test/gateway/open-upload.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import type { Radosgw } from "../../test/object-storage/radosgw.ts";
import {
  describeWithPrograms,
  radosgwPrograms,
} from "../../test/object-storage/server-programs.ts";
import { sharedRadosgw } from "../../test/object-storage/shared-server.ts";
import { makeTestGround, type TestGround } from "../../test/server/test-ground.ts";

const never = new AbortController().signal;
const patient = { timeout: 30_000 };
const mebibyte = 1024 * 1024;
const folder = newMemoryFolder("backstay-gateway-radosgw-");
afterAll(() => execFileSync("rm", ["-rf", folder]));

describeWithPrograms("the gateway over Ceph's gateway", radosgwPrograms, () => {
  let server: Radosgw;
  let ground: TestGround;
  let scene: GatewayScene;
  let url = "";
  beforeAll(async () => {
    server = await sharedRadosgw();
    url = `s3:${server.url}/gateway-${randomBytes(4).toString("hex")}/below`;
    const { environment } = server;
    ground = await makeTestGround(path.join(folder, "server.db"));
    const store = openStore(url, { environment });
    await store.create(never);
    await store.close();
    scene = new GatewayScene(ground, {
      hasFolder: false,
      open: (address, options) =>
        openStore(address, { environment: { ...options.environment, ...environment } }),
    });
    await scene.start();
  });
  afterAll(async () => {
    await scene.stop();
    await ground.close();
  });

  it("takes files of many parts, and leaves nothing of those that break off", async () => {
    const machine = await scene.machine();
    await scene.keepIn(machine, { url });
    const body = randomBytes(20 * mebibyte + 3);
    const target = `data/${hashed(body)}`;
    const broken = await openUpload(scene, machine, target, body.length);
    broken.send(body.subarray(0, 12 * mebibyte));
    broken.cut();
    await expect.poll(() => scene.counted(machine), patient).toEqual({ bytes: 0, objects: 0 });
    const wrong = await scene.ask(machine, "POST", target, {
      body: new Uint8Array(Buffer.concat([body.subarray(1), Buffer.of(0)])),
    });
    expect(wrong.status).toBe(400);
    expect((await scene.ask(machine, "HEAD", target)).status).toBe(404);
    const sent = await scene.ask(machine, "POST", target, { body: new Uint8Array(body) });
    expect(sent.status).toBe(200);
    const read = Buffer.from(await (await scene.ask(machine, "GET", target)).arrayBuffer());
    expect(Buffer.compare(read, body)).toBe(0);
    expect(await scene.counted(machine)).toEqual({ bytes: body.length, objects: 1 });
    expect(await scene.changing()).toBe(0);
    // In restic's layout, below the ids.
    const { tenantId, repositoryId, agentId } = machine;
    const place = openStore(`${url}/${tenantId}/${repositoryId}/${agentId}`, {
      environment: server.environment,
    });
    expect(await Array.fromAsync(place.list("data", never))).toEqual([
      { name: hashed(body), size: body.length },
    ]);
    await place.close();
  });

  describeStoreContract(
    "RestStore over the gateway of Ceph's gateway",
    async () => {
      const machine = await scene.machine();
      await scene.keepIn(machine, { url });
      return openStore(scene.address(machine), scene.options(machine));
    },
    { hashNames: true, appendOnly: true },
  );
});
