/** What an account that the server has made for one machine can do, and can't, on servers that enforce it. */
import { createHash, randomBytes } from "node:crypto";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { AzureSasIssuer } from "../../server/storage-accounts/azure-sas-issuer.ts";
import { azureSignature } from "../../server/storage-accounts/azure-signature.ts";
import { GoogleDownscopedIssuer } from "../../server/storage-accounts/google-downscoped-issuer.ts";
import type { AccountOrder, IssuedAccount } from "../../server/storage-accounts/issued-account.ts";
import { s3Account } from "../../server/storage-accounts/s3-sts-issuer.ts";
import type { FileType, Handle, ObjectStore } from "../../storage/object-store.ts";
import { openStore } from "../../storage/open-store.ts";
import { Azurite } from "./azurite.ts";
import { FakeGoogle } from "./google-fake/fake-google.ts";
import type { Radosgw } from "./radosgw.ts";
import { makeRadosgwRole, type RadosgwRole } from "./radosgw-role.ts";
import { rawS3 } from "./raw-s3.ts";
import { describeWithPrograms, radosgwPrograms } from "./server-programs.ts";
import { sharedRadosgw } from "./shared-server.ts";

const never = new AbortController().signal;
const run = randomBytes(4).toString("hex");
const data = randomBytes(1000);
const stores: ObjectStore[] = [];

function handleOf(type: FileType): Handle {
  return { type, name: createHash("sha256").update(data).digest("hex") };
}

/** The store of a machine at an address, with an account that is good for it or not. */
function storeAt(address: string, { settings, expiresMs }: IssuedAccount): ObjectStore {
  const accounts = { account: async () => ({ settings, expiresMs }) };
  const store = openStore(address, { environment: settings, accounts });
  stores.push(store);
  return store;
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

interface TwoMachines {
  readonly addresses: readonly [string, string];
  readonly accounts: readonly [IssuedAccount, IssuedAccount];
}

const denied = { code: "STORE_DENIED" };

async function ownPlaceWorks({ addresses, accounts }: TwoMachines): Promise<void> {
  const store = storeAt(addresses[0], accounts[0]);
  await store.create(never);
  expect(await store.stat({ type: "config", name: "" }, never)).toBeUndefined();
  for (const type of ["data", "locks"] as const) await store.save(handleOf(type), data, never);
  expect(Buffer.from(await store.load(handleOf("data"), undefined, never))).toEqual(data);
  expect(await Array.fromAsync(store.list("data", never))).toHaveLength(1);
  await store.remove(handleOf("locks"), never);
  expect(await Array.fromAsync(store.list("locks", never))).toEqual([]);
}

async function othersPlaceIsClosed({ addresses, accounts }: TwoMachines): Promise<void> {
  const theirs = storeAt(addresses[1], accounts[1]);
  await theirs.create(never);
  await theirs.save(handleOf("data"), data, never);
  const asThey = storeAt(addresses[1], accounts[0]);
  await expect(asThey.load(handleOf("data"), undefined, never)).rejects.toMatchObject(denied);
  await expect(Array.fromAsync(asThey.list("data", never))).rejects.toMatchObject(denied);
  for (const type of ["data", "index", "locks"] as const) {
    await expect(asThey.save(handleOf(type), data, never)).rejects.toMatchObject(denied);
    await expect(asThey.remove(handleOf(type), never)).rejects.toMatchObject(denied);
  }
  expect(await theirs.stat(handleOf("data"), never)).toBe(data.length);
}

async function ownDataStays({ addresses, accounts }: TwoMachines): Promise<void> {
  const store = storeAt(addresses[0], accounts[0]);
  await store.create(never);
  await store.save(handleOf("data"), data, never);
  await expect(store.remove(handleOf("data"), never)).rejects.toMatchObject(denied);
  expect(await store.stat(handleOf("data"), never)).toBe(data.length);
}

describeWithPrograms("a session of a role of Ceph's gateway", radosgwPrograms, () => {
  let server: Radosgw;
  let role: RadosgwRole;
  let machines: TwoMachines;
  const bucket = `issued-${run}`;

  const order = (agentId: string): AccountOrder<"s3-sts"> => ({
    issuer: { kind: "s3-sts", roleArn: role.arn, endpoint: server.url, durationSeconds: 900 },
    address: `s3:${server.url}/${bucket}/fleet/${agentId}`,
    agentId,
    own: role.own,
    nowMs: Date.now(),
    signal: never,
  });

  beforeAll(async () => {
    server = await sharedRadosgw();
    role = await makeRadosgwRole(server);
    const client = rawS3(server);
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
    const orders = [order("machine-a"), order("machine-b")];
    machines = {
      addresses: [orders[0].address, orders[1].address],
      accounts: [await s3Account(orders[0]), await s3Account(orders[1])],
    };
  });

  it("is good for the machine's own prefix, for as long as was asked", async () => {
    await ownPlaceWorks(machines);
    const leftMs = machines.accounts[0].expiresMs - Date.now();
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(900_000);
  });

  it("can't read, write, list or remove what is another machine's, though their names begin alike", async () => {
    await othersPlaceIsClosed(machines);
    const near = order("machine-a2");
    await othersPlaceIsClosed({
      addresses: [machines.addresses[0], near.address],
      accounts: [machines.accounts[0], await s3Account(near)],
    });
  });

  it("removes locks and nothing else", async () => await ownDataStays(machines));

  it("locks what it stores if it may, for longer and never for less", async () => {
    const locked = `${bucket}-locked`;
    const client = rawS3(server);
    const making = { Bucket: locked, ObjectLockEnabledForBucket: true };
    await client.send(new CreateBucketCommand(making));
    client.destroy();
    const address = `s3:${server.url}/${locked}/machine-a`;
    const retention = { mode: "governance" as const, days: 1 };
    const open = async (mayLock: boolean): Promise<ObjectStore> => {
      const wanted = order("machine-a");
      const issuer = { ...wanted.issuer, mayLock };
      const { settings, expiresMs } = await s3Account({ ...wanted, issuer, address });
      const accounts = { account: async () => ({ settings, expiresMs }) };
      const store = openStore(address, { environment: settings, accounts, retention });
      stores.push(store);
      return store;
    };
    const store = await open(true);
    await store.save(handleOf("data"), data, never);
    const untilMs = (await store.retentionLocks?.lockedUntil(handleOf("data"), never)) ?? 0;
    expect(untilMs).toBeGreaterThan(Date.now());
    await store.retentionLocks?.extend(handleOf("data"), untilMs + 3_600_000, never);
    const laterMs = await store.retentionLocks?.lockedUntil(handleOf("data"), never);
    expect(laterMs).toBeGreaterThan(untilMs);
    const unable = (await open(false)).retentionLocks?.extend(
      handleOf("data"),
      untilMs + 7_200_000,
      never,
    );
    // It may not even see that there are locks.
    await expect(unable).rejects.toMatchObject({ code: "STORE_LACKS" });
  });

  it("is not made by an account that may not take the role", async () => {
    const own = { ...role.own, AWS_SECRET_ACCESS_KEY: "another" };
    await expect(s3Account({ ...order("machine-a"), own })).rejects.toThrow();
    const issuer = { ...order("machine-a").issuer, roleArn: `${role.arn}-other` };
    await expect(s3Account({ ...order("machine-a"), issuer })).rejects.toThrow();
  });
});

describe("a shared access signature for a container of Azurite", () => {
  let azurite: Azurite;
  let machines: TwoMachines;

  beforeAll(async () => {
    azurite = await Azurite.start();
    const issuer = new AzureSasIssuer();
    const account = async (agentId: string): Promise<IssuedAccount> =>
      await issuer.account({
        issuer: { kind: "azure-sas", hierarchical: false, durationSeconds: 900 },
        address: `azure:${agentId}:/backups`,
        agentId,
        own: azurite.environment,
        nowMs: Date.now(),
        signal: never,
      });
    machines = {
      addresses: ["azure:machine-a:/backups", "azure:machine-b:/backups"],
      accounts: [await account("machine-a"), await account("machine-b")],
    };
  });
  afterAll(async () => await azurite.stop());

  it("is good for the machine's own container, which is made for it", async () =>
    await ownPlaceWorks(machines));

  it("can't read, write, list or remove what is another machine's", async () =>
    await othersPlaceIsClosed(machines));

  it("removes locks and nothing else, where the signature for locks is another", async () => {
    const [account] = machines.accounts;
    const { BACKSTAY_AZURE_ENDPOINT = "", AZURE_ACCOUNT_NAME = "" } = account.settings;
    const withoutRemoval = azureSignature(
      {
        accountName: AZURE_ACCOUNT_NAME,
        container: "machine-a",
        directory: undefined,
        permissions: "rcwl",
        startMs: Date.now() - 60_000,
        expiresMs: account.expiresMs,
        withPlainHttp: true,
      },
      { kind: "account", key: azurite.environment["AZURE_ACCOUNT_KEY"] ?? "" },
    );
    const settings = {
      BACKSTAY_AZURE_ENDPOINT,
      AZURE_ACCOUNT_NAME,
      AZURE_ACCOUNT_SAS: withoutRemoval,
      BACKSTAY_AZURE_LOCKS_SAS: account.settings["AZURE_ACCOUNT_SAS"] ?? "",
    };
    const { addresses } = machines;
    const apart: TwoMachines = { addresses, accounts: [{ ...account, settings }, account] };
    await storeAt(addresses[0], account).remove(handleOf("data"), never);
    await ownPlaceWorks(apart);
    await ownDataStays(apart);
  });

  it("holds neither the key of the account nor rights over it", () => {
    const { settings } = machines.accounts[0];
    expect(JSON.stringify(settings)).not.toContain(azurite.environment["AZURE_ACCOUNT_KEY"]);
    const signature = new URLSearchParams(settings["AZURE_ACCOUNT_SAS"]);
    expect([signature.get("sr"), signature.get("sp")]).toEqual(["c", "rcwdl"]);
  });
});

describe("a downscoped token at our stand-in for Google's storage", () => {
  let fake: FakeGoogle;
  let machines: TwoMachines;
  const bucket = `issued-${run}`;

  beforeAll(async () => {
    fake = await FakeGoogle.start({ wantsTokens: true });
    fake.bucket(bucket);
    const token = fake.tokens.issue();
    const issuer = new GoogleDownscopedIssuer();
    const account = async (agentId: string): Promise<IssuedAccount> =>
      await issuer.account({
        issuer: { kind: "google-downscoped" },
        address: `gs:${bucket}:/fleet/${agentId}`,
        agentId,
        own: {
          GOOGLE_ACCESS_TOKEN: token,
          BACKSTAY_GOOGLE_ENDPOINT: fake.url,
          BACKSTAY_GOOGLE_STS_ENDPOINT: fake.url,
        },
        nowMs: Date.now(),
        signal: never,
      });
    machines = {
      addresses: [`gs:${bucket}:/fleet/machine-a`, `gs:${bucket}:/fleet/machine-b`],
      accounts: [await account("machine-a"), await account("machine-b")],
    };
  });
  afterAll(async () => await fake.stop());

  it("is good for the machine's own prefix", async () => await ownPlaceWorks(machines));

  it("can't read, write, list or remove what is another machine's", async () =>
    await othersPlaceIsClosed(machines));

  it("removes locks and nothing else", async () => await ownDataStays(machines));
});
