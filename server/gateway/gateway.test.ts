import { execFileSync } from "node:child_process";
import path from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { openClock } from "../../platform/open-clock.ts";
import { FaultyStore } from "../../storage/fault/faulty-store.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { LimitedStore } from "../../storage/limit/limited-store.ts";
import { openStore } from "../../storage/open-store.ts";
import { RetryStore } from "../../storage/retry/retry-store.ts";
import { describeStoreContract } from "../../storage/store-contract.ts";
import { GatewayScene } from "../../test/gateway/gateway-scene.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { makeTestGround, type TestGround } from "../../test/server/test-ground.ts";

const folder = newMemoryFolder("backstay-gateway-");
afterAll(() => execFileSync("rm", ["-rf", folder]));
let grounds = 0;
const newGround = async (): Promise<TestGround> => {
  grounds += 1;
  const dataFolder = path.join(folder, `data-${grounds}`);
  return await makeTestGround(path.join(folder, `server-${grounds}.db`), { dataFolder });
};

describe("the gateway behind RestStore", () => {
  let ground: TestGround;
  let scene: GatewayScene;
  beforeAll(async () => {
    ground = await newGround();
    scene = new GatewayScene(ground);
    await scene.start();
  });
  afterAll(async () => {
    await scene.stop();
    await ground.close();
  });
  const traits = { hashNames: true, appendOnly: true };
  describeStoreContract(
    "RestStore over the gateway",
    async () => {
      const machine = await scene.machine();
      return openStore(scene.address(machine), scene.options(machine));
    },
    traits,
  );
  describeStoreContract(
    "RestStore over the gateway, with faults, limits and retries,",
    async () => {
      const machine = await scene.machine();
      const store = openStore(scene.address(machine), scene.options(machine));
      const clock = openClock();
      const faulty = new FaultyStore(store, {
        fault: "after",
        probability: 0.1,
        random: seededRandom(7),
      });
      return new RetryStore(new LimitedStore(faulty, { clock }), {
        clock,
        random: Math.random,
        firstDelayMsMax: 1,
      });
    },
    traits,
  );
});
