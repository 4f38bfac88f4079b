/** restic and Backstay through a gateway that keeps its files in Ceph's gateway, and restic on what lies there. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openStore } from "../../storage/open-store.ts";
import { GatewayScene } from "../gateway/gateway-scene.ts";
import { newMemoryFolder } from "../memory-folder.ts";
import type { Radosgw } from "../object-storage/radosgw.ts";
import { describeWithPrograms, radosgwPrograms } from "../object-storage/server-programs.ts";
import { sharedRadosgw } from "../object-storage/shared-server.ts";
import { describeWithPeers } from "../peers.ts";
import { resticOn } from "../programs.ts";
import { makeTestGround, type TestGround } from "../server/test-ground.ts";
import { RestScene } from "./rest-scene.ts";

const folder = newMemoryFolder("backstay-gateway-storage-");
afterAll(() => execFileSync("rm", ["-rf", folder]));

describeWithPrograms("the gateway over Ceph's gateway", radosgwPrograms, () => {
  describeWithPeers("with restic", ["restic018"], (peers) => {
    let server: Radosgw;
    let ground: TestGround;
    let gateway: GatewayScene;
    let scene: RestScene;
    beforeAll(async () => {
      server = await sharedRadosgw();
      ground = await makeTestGround(path.join(folder, "server.db"));
      gateway = new GatewayScene(ground, {
        open: (address) => openStore(address, { environment: server.environment }),
      });
      await gateway.start();
      scene = new RestScene();
    });
    afterAll(async () => {
      scene.remove();
      await gateway.stop();
      await ground.close();
    });

    it("shares a repository in both directions, which restic reads in place", async () => {
      const url = `s3:${server.url}/gateway-${randomBytes(4).toString("hex")}/below`;
      const store = openStore(url, { environment: server.environment });
      await store.create(new AbortController().signal);
      await store.close();
      const machine = await gateway.machine();
      await gateway.keepIn(machine, { url });
      const { tenantId, repositoryId, agentId, password } = machine;
      const repository = { url: `${gateway.url}${machine.path}`, user: agentId, password };
      const restic = scene.restic(peers.restic018, repository);
      const backstay = scene.backstay(repository);
      await backstay.succeed("init");
      await scene.backUp(backstay);
      scene.touch();
      await scene.backUp(restic);
      await scene.expectGood(backstay);
      const outcome = await restic.run("forget", "--keep-last", "1", "--prune");
      expect(outcome.exitCode).not.toBe(0);
      const inPlace = resticOn(peers.restic018, {
        repository: `${url}/${tenantId}/${repositoryId}/${agentId}`,
        password: "interop",
        environment: server.environment,
      });
      expect(await scene.snapshots(inPlace)).toBe(2);
      await scene.expectGood(inPlace);
      const stats = await inPlace.output("list", "packs", "--no-lock");
      expect(stats.trim().split("\n").length).toBeGreaterThan(1);
      expect(await gateway.changing()).toBe(0);
    });
  });
});
