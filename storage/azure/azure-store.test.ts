/** The store against Azurite: the contract, and what only Azure does. */
import { createHash, randomBytes } from "node:crypto";
import { type ContainerClient, ContainerSASPermissions } from "@azure/storage-blob";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Azurite, azuriteKey } from "../../test/object-storage/azurite.ts";
import { failure } from "../../test/object-storage/call-failure.ts";
import { strikeAt } from "../../test/object-storage/fault-plan.ts";
import { FaultProxy } from "../../test/object-storage/fault-proxy.ts";
import type { StorageAccount } from "../account-source.ts";
import type { Handle, ObjectStore } from "../object-store.ts";
import { RequestCounts } from "../request-counts.ts";
import { describeStoreContract } from "../store-contract.ts";
import { type AzureStoreOptions, openAzureStore } from "./azure-store.ts";

const never = new AbortController().signal;
const hourMs = 3_600_000;
let azurite: Azurite;
let places = 0;
beforeAll(async () => {
  azurite = await Azurite.start();
});
afterAll(async () => await azurite.stop());

describeStoreContract("azure", async () => {
  places += 1;
  return openAzureStore(`place-${places}:/some/prefix`, { environment: azurite.environment });
});

const opened: ObjectStore[] = [];
afterAll(async () => {
  for (const store of opened) await store.close();
});

function open(container: string, options: Partial<AzureStoreOptions> = {}): ObjectStore {
  const store = openAzureStore(`${container}:/p`, { environment: azurite.environment, ...options });
  opened.push(store);
  return store;
}

/** A container with a store over it. */
async function made(container: string, options?: Partial<AzureStoreOptions>): Promise<ObjectStore> {
  const store = open(container, options);
  await store.create(never);
  return store;
}

function named(type: Handle["type"], data: Uint8Array): Handle {
  return { type, name: createHash("sha256").update(data).digest("hex") };
}

/** The library's own view of a container. */
async function seen(container: string): Promise<ContainerClient> {
  const { BlobServiceClient, StorageSharedKeyCredential } = await import("@azure/storage-blob");
  const { AZURE_ACCOUNT_NAME: name = "" } = azurite.environment;
  const credential = new StorageSharedKeyCredential(name, azuriteKey);
  return new BlobServiceClient(azurite.endpoint, credential).getContainerClient(container);
}

/** An environment with a signature for one container: `permissions` as Azure writes them. */
async function signed(
  container: string,
  permissions: string,
  endsMs: number,
): Promise<Record<string, string>> {
  const client = await seen(container);
  const url = await client.generateSasUrl({
    permissions: ContainerSASPermissions.parse(permissions),
    startsOn: new Date(Date.now() - 2 * hourMs),
    expiresOn: new Date(endsMs),
  });
  const { AZURE_ACCOUNT_KEY: _key, ...others } = azurite.environment;
  return { ...others, AZURE_ACCOUNT_SAS: new URL(url).search };
}

describe("large objects", () => {
  it("go in blocks, with a checksum of the whole", async () => {
    const store = await made("large");
    const data = randomBytes(64 * 1024 * 1024 + 1);
    const handle = named("data", data);
    await store.save(handle, data, never);
    const blob = (await seen("large")).getBlockBlobClient(
      `p/data/${handle.name.slice(0, 2)}/${handle.name}`,
    );
    expect((await blob.getBlockList("committed")).committedBlocks).toHaveLength(9);
    const { contentLength, contentMD5 } = await blob.getProperties();
    expect(contentLength).toBe(data.length);
    expect(
      createHash("md5")
        .update(data)
        .digest()
        .equals(contentMD5 ?? Buffer.alloc(0)),
    ).toBe(true);
    await store.save(handle, data, never);
  });
  it("are of whoever commits first, whole", async () => {
    const store = await made("raced");
    const handle = named("index", Buffer.from("raced"));
    const contents = [1, 2, 3].map((byte) => new Uint8Array(9 * 1024 * 1024).fill(byte));
    const outcomes = await Promise.allSettled(
      contents.map(async (data) =>
        store.streamed?.receive(handle, data.length, [data].values() as never, never),
      ),
    );
    const created = outcomes.findIndex(
      (outcome) => outcome.status === "fulfilled" && outcome.value === "created",
    );
    expect(created).toBeGreaterThanOrEqual(0);
    const loaded = await store.load(handle, undefined, never);
    expect(Buffer.compare(loaded, contents[created] ?? new Uint8Array())).toBe(0);
  });
});

describe("access tiers", () => {
  it("are given to packs only", async () => {
    const store = await made("tiers", { storageClass: "cool" });
    const data = randomBytes(100);
    const tierOf = async (path: string): Promise<string | undefined> =>
      (await (await seen("tiers")).getBlobClient(`p/${path}`).getProperties()).accessTier;
    for (const type of ["data", "index", "snapshots"] as const)
      await store.save(named(type, data), data, never);
    const { name } = named("data", data);
    expect(await tierOf(`data/${name.slice(0, 2)}/${name}`)).toBe("Cool");
    expect(await tierOf(`index/${name}`)).toBe("Hot");
    expect(await tierOf(`snapshots/${name}`)).toBe("Hot");
  });
  it("that can't be read from say so, and what lies there can be saved again", async () => {
    const store = await made("archive", { storageClass: "Archive" });
    const data = randomBytes(100);
    const handle = named("data", data);
    await store.save(handle, data, never);
    await store.save(handle, data, never);
    expect((await failure(store.load(handle, undefined, never))).code).toBe("STORE_ARCHIVED");
    expect((await failure(store.load(handle, { offset: 1, length: 2 }, never))).code).toBe(
      "STORE_ARCHIVED",
    );
    expect((await failure(store.save(handle, randomBytes(100), never))).code).toBe("STORE_EXISTS");
    expect(await Array.fromAsync(store.list("data", never))).toEqual([
      { name: handle.name, size: 100 },
    ]);
  });
  it("that nobody knows are refused", () => {
    expect(() => open("tiers", { storageClass: "Glacier" })).toThrow(/Hot, Cool, Cold, Archive/);
  });
});

describe("accounts", () => {
  it("of a signature that may create only can't overwrite, remove, or hurt", async () => {
    await made("appended");
    const environment = await signed("appended", "rcl", Date.now() + hourMs);
    const store = await made("appended", { environment });
    const data = randomBytes(50);
    const handle = named("snapshots", data);
    await store.save(handle, data, never);
    await store.save(handle, data, never);
    expect((await failure(store.save(handle, randomBytes(50), never))).code).toBe("STORE_EXISTS");
    expect((await failure(store.remove(handle, never))).code).toBe("STORE_DENIED");
    expect(await store.stat(handle, never)).toBe(50);
  });
  it("that are wrong are refused, and never shown", async () => {
    const wrong = Buffer.from("a wrong key").toString("base64");
    const store = open("wrong", {
      environment: { ...azurite.environment, AZURE_ACCOUNT_KEY: wrong },
    });
    expect((await failure(store.create(never), wrong)).code).toBe("STORE_DENIED");
    const ended = await signed("wrong", "rcl", Date.now() - hourMs);
    const seal = new URLSearchParams(ended["AZURE_ACCOUNT_SAS"]).get("sig") ?? "";
    const late = open("wrong", { environment: ended });
    const shown = [seal, encodeURIComponent(seal)];
    expect(
      (await failure(late.load(named("keys", randomBytes(1)), undefined, never), ...shown)).code,
    ).toBe("STORE_DENIED");
  });
  it("that end in the middle of a run are asked for again, once", async () => {
    await made("renewed");
    const given: StorageAccount[] = [];
    const asked: (StorageAccount | undefined)[] = [];
    const settingsOf = async (endsMs: number): Promise<StorageAccount> => {
      const { AZURE_ACCOUNT_SAS = "" } = await signed("renewed", "racwdl", endsMs);
      return { settings: { AZURE_ACCOUNT_SAS }, expiresMs: endsMs };
    };
    given.push(await settingsOf(Date.now() - hourMs), await settingsOf(Date.now() + hourMs));
    let current = 0;
    const accounts = {
      account: async (_signal: AbortSignal, refused?: StorageAccount): Promise<StorageAccount> => {
        asked.push(refused);
        if (refused !== undefined && refused === given[current]) current = Math.min(1, current + 1);
        return given[current] ?? expect.fail("no account");
      },
    };
    const store = open("renewed", { accounts });
    const data = randomBytes(9 * 1024 * 1024);
    const handle = named("data", data);
    expect(
      await store.streamed?.receive(handle, data.length, [data].values() as never, never),
    ).toBe("created");
    expect(asked.filter((refused) => refused !== undefined)).toEqual([given[0]]);
    expect(await store.stat(handle, never)).toBe(data.length);
    given[1] = given[0] as StorageAccount;
    expect((await failure(store.stat(handle, never))).code).toBe("STORE_DENIED");
  });
});

describe("requests", () => {
  it("are counted by kind, with their bytes", async () => {
    const counts = new RequestCounts();
    const store = await made("counted", { counts });
    const before = counts.sums;
    const data = randomBytes(9 * 1024 * 1024);
    const handle = named("data", data);
    await store.save(handle, data, never);
    await store.load(handle, { offset: 0, length: 1000 }, never);
    await store.stat(handle, never);
    await Array.fromAsync(store.list("data", never));
    await store.remove(handle, never);
    const { requests, bytesUp, bytesDown } = counts.sums;
    const since = Object.entries(requests).map(([kind, count]) => [
      kind,
      count - (before.requests as Record<string, number>)[kind],
    ]);
    expect(Object.fromEntries(since)).toEqual({
      put: 1,
      get: 1,
      list: 1,
      head: 1,
      delete: 1,
      other: 0,
    });
    expect(bytesUp - before.bytesUp).toBe(data.length);
    expect(bytesDown - before.bytesDown).toBeGreaterThanOrEqual(1000);
  });
  it("whose bytes change on the way, up or down, are found out", async () => {
    const proxy = await FaultProxy.start(`http://127.0.0.1:${azurite.port}`);
    try {
      const endpoint = azurite.endpoint.replace(/^http:\/\/[^/]+/, proxy.url);
      const environment = { ...azurite.environment, BACKSTAY_AZURE_ENDPOINT: endpoint };
      const store = await made("changed", { environment });
      const data = randomBytes(100_000);
      const handle = named("data", data);
      proxy.follow(strikeAt(1, { kind: "flip", way: "up", atByte: 5000 }, { method: "PUT" }));
      expect((await failure(store.save(handle, data, never))).code).toBe("STORE_UNAVAILABLE");
      expect(await store.stat(handle, never)).toBeUndefined();
      await store.save(handle, data, never);
      for (const range of [undefined, { offset: 10, length: 50_000 }]) {
        proxy.follow(strikeAt(1, { kind: "flip", way: "down", atByte: 500 }, { method: "GET" }));
        expect((await failure(store.load(handle, range, never))).code).toBe("STORE_UNAVAILABLE");
      }
    } finally {
      await proxy.stop();
    }
  });
});

describe("a blob of which somebody has made a snapshot", () => {
  it("is not removed against their will", async () => {
    const store = await made("snapshotted");
    const data = randomBytes(10);
    const handle = named("locks", data);
    await store.save(handle, data, never);
    const client = await seen("snapshotted");
    await client.getBlobClient(`p/locks/${handle.name}`).createSnapshot();
    const error = await failure(store.remove(handle, never));
    expect([error.code, error.context["refusal"]]).toEqual(["STORE_DENIED", "SnapshotsPresent"]);
  });
});
