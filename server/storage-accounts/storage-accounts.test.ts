import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openSecret } from "../../protocol/control/sealed-secret.ts";
import { storageAccountContent } from "../../protocol/control/storage-account.ts";
import {
  actor,
  BundleScene,
  type SceneMachine,
  sceneTenant,
} from "../../test/bundles/bundle-scene.ts";
import { makeTestGround, type TestGround } from "../../test/server/test-ground.ts";
import type { AccountOrder } from "./issued-account.ts";
import { StorageAccounts } from "./storage-accounts.ts";

const url = "s3:https://s3.example/bucket/{tenant}/{agent}";
const lifeMs = 3_600_000;

let folder: string;
let ground: TestGround;
let scene: BundleScene;
let repository: string;
let orders: AccountOrder[];
/** Called before each account is made. */
let before: () => Promise<void>;
let accounts: StorageAccounts;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-accounts-"));
  ground = await makeTestGround(path.join(folder, "server.db"));
  scene = await BundleScene.make(ground);
  const own = "AWS_ACCESS_KEY_ID=server\nAWS_SECRET_ACCESS_KEY=the server's own\n";
  await scene.secrets.put(actor, sceneTenant, "cloud", Buffer.from(own));
  const [{ id, version }] = await scene.repositories.list(null, { after: null, limit: 9 });
  repository = id;
  const issuer = { kind: "s3-sts" as const, durationSeconds: lifeMs / 1000 };
  await scene.repositories.replace(actor, null, id, version, {
    name: "main",
    routes: [
      { kind: "direct", url: "/mnt/{agent}" },
      { kind: "direct", url, secret: "cloud", issuer },
    ],
    quotas: {},
  });
  orders = [];
  before = async () => undefined;
  accounts = new StorageAccounts({
    ground,
    environment: { HTTPS_PROXY: "http://proxy.example" },
    make: async (order) => {
      orders.push(order);
      await before();
      const number = String(orders.length);
      return { settings: { number }, expiresMs: order.nowMs + lifeMs };
    },
  });
});

afterEach(async () => {
  await ground.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Machines that have a place in the repository. */
async function machines(...ids: readonly string[]): Promise<SceneMachine[]> {
  const made = await scene.addMachines(ids);
  const [policy] = await scene.policies.list(null, { after: null, limit: 1 });
  expect(policy).toBeUndefined();
  await scene.policies.create(actor, sceneTenant, scene.settings(ids));
  for (const { id } of made) await scene.bundles.current(id, { serial: 0 });
  return made;
}

async function ask(
  { id, sealingKey }: SceneMachine,
  given: { address?: string; repository?: string; refused?: "yes" } = {},
) {
  const address = url.replace("{tenant}", sceneTenant).replace("{agent}", id);
  const query = { repository, address, ...given };
  const sealed = await accounts.sealedFor({ id, tenantId: sceneTenant }, query);
  return storageAccountContent.parse(JSON.parse(openSecret(sealed, sealingKey).toString()));
}

it("are made with the server's account for the machine's place, sealed to it, and told to the audit log", async () => {
  const [machine] = await machines("pc1");
  const address = `s3:https://s3.example/bucket/${sceneTenant}/pc1`;
  expect(await ask(machine)).toEqual({
    repositoryId: repository,
    address,
    settings: { number: "1" },
    issuedMs: ground.now(),
    expiresMs: ground.now() + lifeMs,
  });
  expect(orders).toMatchObject([
    {
      address,
      agentId: "pc1",
      own: {
        AWS_ACCESS_KEY_ID: "server",
        AWS_SECRET_ACCESS_KEY: "the server's own",
        HTTPS_PROXY: "http://proxy.example",
      },
    },
  ]);
  const entries = await ground.database.selectFrom("audit").selectAll().execute();
  const issued = entries.filter(({ action }) => action === "storage-account.issue");
  expect(issued).toMatchObject([
    { actor: "agent:pc1", target: repository, tenant_id: sceneTenant },
  ]);
  expect(JSON.stringify(entries)).not.toContain("the server's own");
});

it("are given out again for half of their life, and made anew when a storage refuses one, but not each time", async () => {
  const [machine] = await machines("pc1");
  await ask(machine);
  ground.advance(lifeMs / 2 - 1);
  expect((await ask(machine)).settings).toEqual({ number: "1" });
  ground.advance(1);
  expect((await ask(machine)).settings).toEqual({ number: "2" });
  expect((await ask(machine, { refused: "yes" })).settings).toEqual({ number: "2" });
  ground.advance(30_000);
  expect((await ask(machine, { refused: "yes" })).settings).toEqual({ number: "3" });
});

it("are made once for all who wait for the same one, and few at once in a storm", async () => {
  const all = await machines(...Array.from({ length: 60 }, (_, i) => `pc${i}`));
  let [now, most] = [0, 0];
  before = async () => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setTimeout(resolve, 5));
    now -= 1;
  };
  await Promise.all([...all, ...all, ...all].map(async (machine) => await ask(machine)));
  expect(orders).toHaveLength(60);
  expect(most).toBeLessThanOrEqual(16);
});

it("are for the machine's own places only", async () => {
  const [machine] = await machines("pc1", "pc2");
  const [stranger] = await scene.addMachines(["pc3"]);
  const refused = { code: "AGENT_REFUSED", context: { problem: "not-found" } };
  const others = `s3:https://s3.example/bucket/${sceneTenant}/pc2`;
  for (const given of [
    { address: others },
    { address: url },
    { address: "/mnt/pc1" },
    { repository: "none" },
  ])
    await expect(ask(machine, given), JSON.stringify(given)).rejects.toMatchObject(refused);
  await expect(ask(stranger)).rejects.toMatchObject(refused);
  const elsewhere = accounts.sealedFor(
    { id: "pc1", tenantId: "other" },
    { repository, address: others },
  );
  await expect(elsewhere).rejects.toMatchObject(refused);
  expect(orders).toEqual([]);
});

it("are not to be had for a moment after a failure, of which only the log knows more", async () => {
  const [machine] = await machines("pc1");
  before = async () => await Promise.reject(new Error("Rate exceeded"));
  const unavailable = { code: "AGENT_REFUSED", context: { problem: "account-unavailable" } };
  await expect(ask(machine)).rejects.toMatchObject(unavailable);
  before = async () => undefined;
  await expect(ask(machine)).rejects.toMatchObject(unavailable);
  expect(orders).toHaveLength(1);
  expect(ground.logged.join()).toContain("Rate exceeded");
  ground.advance(5000);
  expect((await ask(machine)).settings).toEqual({ number: "2" });
});

it("are not to be had with a secret that is none, which is not shown", async () => {
  const [machine] = await machines("pc1");
  await scene.secrets.put(actor, sceneTenant, "cloud", Buffer.from("only a word"));
  await expect(ask(machine)).rejects.toMatchObject({ context: { problem: "account-unavailable" } });
  expect(ground.logged.join()).not.toContain("only a word");
});
