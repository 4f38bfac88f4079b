import { execFileSync } from "node:child_process";
import path from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import { openStore } from "../../storage/open-store.ts";
import { describeStoreContract } from "../../storage/store-contract.ts";
import { GatewayScene } from "../../test/gateway/gateway-scene.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { makeTestGround, type TestGround } from "../../test/server/test-ground.ts";

const folder = newMemoryFolder("backstay-gateway-");
afterAll(() => execFileSync("rm", ["-rf", folder]));

describe.each([{ name: "a folder" }, { name: "an object storage", storage: { url: "s3:memory" } }])(
  "the gateway of $name behind RestStore",
  ({ name, storage }) => {
    let ground: TestGround;
    let scene: GatewayScene;
    beforeAll(async () => {
      const dataFolder = path.join(folder, name);
      ground = await makeTestGround(path.join(folder, `${name}.db`), { dataFolder });
      const memory = new MemoryStore();
      scene = new GatewayScene(ground, { open: () => memory });
      await scene.start();
    });
    afterAll(async () => {
      await scene.stop();
      await ground.close();
    });
    describeStoreContract(
      `RestStore over the gateway of ${name}`,
      async () => {
        const machine = await scene.machine();
        await scene.keepIn(machine, storage);
        return openStore(scene.address(machine), scene.options(machine));
      },
      { hashNames: true, appendOnly: true },
    );
  },
);
