import { execFileSync } from "node:child_process";
import path from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { openStore } from "../../storage/open-store.ts";
import { describeStoreContract } from "../../storage/store-contract.ts";
import { GatewayScene } from "../../test/gateway/gateway-scene.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { makeTestGround, type TestGround } from "../../test/server/test-ground.ts";

const folder = newMemoryFolder("backstay-gateway-");
afterAll(() => execFileSync("rm", ["-rf", folder]));

describe("the gateway behind RestStore", () => {
  let ground: TestGround;
  let scene: GatewayScene;
  beforeAll(async () => {
    const dataFolder = path.join(folder, "data");
    ground = await makeTestGround(path.join(folder, "server.db"), { dataFolder });
    scene = new GatewayScene(ground);
    await scene.start();
  });
  afterAll(async () => {
    await scene.stop();
    await ground.close();
  });
  describeStoreContract(
    "RestStore over the gateway",
    async () => {
      const machine = await scene.machine();
      return openStore(scene.address(machine), scene.options(machine));
    },
    { hashNames: true, appendOnly: true },
  );
});
