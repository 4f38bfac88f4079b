/** The store against real servers: Ceph's gateway, which can most of what S3 can, and Swift, which can little. */
import { randomBytes } from "node:crypto";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
} from "@aws-sdk/client-s3";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { SmallProxy } from "../../test/network/small-proxy.ts";
import { handleOf } from "../../test/object-storage/content-handle.ts";
import { type Radosgw, radosgwAdmin } from "../../test/object-storage/radosgw.ts";
import { rawS3 } from "../../test/object-storage/raw-s3.ts";
import {
  describeWithPrograms,
  radosgwPrograms,
  swiftPrograms,
} from "../../test/object-storage/server-programs.ts";
import { sharedRadosgw, sharedSwift } from "../../test/object-storage/shared-server.ts";
import type { Swift } from "../../test/object-storage/swift.ts";
import type { StorageAccount } from "../account-source.ts";
import type { Handle, ObjectStore } from "../object-store.ts";
import { type OpenStoreOptions, openStore } from "../open-store.ts";
import { RequestCounts } from "../request-counts.ts";
import { describeStoreContract } from "../store-contract.ts";

const never = new AbortController().signal;
const mebibyte = 1024 * 1024;
const dayMs = 24 * 60 * 60 * 1000;
const run = randomBytes(4).toString("hex");
const bucket = `backstay-${run}`;
let places = 0;
const newPrefix = (): string => {
  places += 1;
  return `place-${places}`;
};

const open: ObjectStore[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const store of open.splice(0)) await store.close();
});

/** Only what the clock says changes; timers run on. */
function moveClock(byMs: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + byMs });
}

describeWithPrograms("Swift", swiftPrograms, () => {
  let server: Swift;
  beforeAll(async () => {
    // The other one starts meanwhile.
    [server] = await Promise.all([sharedSwift(), sharedRadosgw().catch(() => undefined)]);
  });
  describeStoreContract(
    "S3Store over Swift",
    async () =>
      openStore(`s3:${server.url}/${bucket}/${newPrefix()}`, { environment: server.environment }),
    { hashNames: true },
  );
  it("says that a name may be taken by two, and refuses to believe in locks of objects", async () => {
    const at = `s3:${server.url}/${bucket}/${newPrefix()}`;
    const store = openStore(at, { environment: server.environment });
    open.push(store);
    await store.create(never);
    const data = randomBytes(100);
    await store.save(handleOf("data", data), data, never);
    expect(store.capabilities.atomicCreate).toBe(false);
    const locking = openStore(at, {
      environment: server.environment,
      retention: { mode: "governance", days: 1 },
    });
    open.push(locking);
    const other = randomBytes(100);
    const lacking = { code: "STORE_LACKS" };
    await expect(locking.save(handleOf("data", other), other, never)).rejects.toMatchObject(
      lacking,
    );
    const handle = handleOf("data", data);
    expect(await store.retentionLocks?.lockedUntil(handle, never)).toBeUndefined();
    const untilMs = Date.now() + dayMs;
    await expect(store.retentionLocks?.extend(handle, untilMs, never)).rejects.toMatchObject(
      lacking,
    );
    expect(Buffer.from(await store.load(handle, undefined, never)).equals(data)).toBe(true);
  });
});

describeWithPrograms("Ceph's gateway", radosgwPrograms, () => {
  let server: Radosgw;
  beforeAll(async () => {
    server = await sharedRadosgw();
    await rawS3(server).send(new CreateBucketCommand({ Bucket: bucket }));
  });

  function openAt(options: OpenStoreOptions & { prefix?: string } = {}): ObjectStore {
    const { prefix = newPrefix(), ...others } = options;
    const store = openStore(`s3:${server.url}/${bucket}/${prefix}`, {
      environment: server.environment,
      ...others,
    });
    open.push(store);
    return store;
  }

  async function uploadsBelow(prefix: string): Promise<string[]> {
    const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix });
    const { Uploads = [] } = await rawS3(server).send(command);
    return Uploads.map(({ Key = "" }) => Key);
  }

  describeStoreContract(
    "S3Store over Ceph's gateway",
    async () =>
      openStore(`s3:${server.url}/${bucket}/${newPrefix()}`, { environment: server.environment }),
    { hashNames: true },
  );

  describe("what is large", () => {
    it("goes in parts, create-only too", async () => {
      const counts = new RequestCounts();
      const store = openAt({ counts });
      const data = randomBytes(65 * mebibyte);
      const handle = handleOf("index", data);
      await store.save(handle, data, never);
      // To begin, five parts, and to complete.
      expect(counts.sums.requests.put).toBe(7);
      await store.save(handle, data, never);
      expect(counts.sums.requests.put).toBe(7);
      const end = { offset: 63 * mebibyte, length: 2 * mebibyte };
      const loaded = await store.load(handle, end, never);
      expect(Buffer.compare(loaded, data.subarray(end.offset))).toBe(0);
      expect(counts.sums.bytesUp - data.length).toBeLessThan(5000);
    });
    it("is given up with all its parts when its source breaks off", async () => {
      const prefix = newPrefix();
      const store = openAt({ prefix });
      const failure = new Error("broken off");
      const source = async function* (): AsyncGenerator<Uint8Array> {
        const chunk = randomBytes(mebibyte);
        for (let i = 0; i < 34; i += 1) {
          if (i === 33) expect(await uploadsBelow(prefix)).toEqual([`${prefix}/backstay/large`]);
          yield chunk;
        }
        throw failure;
      };
      const handle: Handle = { type: "backstay", name: "large" };
      const receiving = store.streamed?.receive(handle, 40 * mebibyte, source(), never);
      await expect(receiving).rejects.toBe(failure);
      expect(await uploadsBelow(prefix)).toEqual([]);
      expect(await store.stat(handle, never)).toBeUndefined();
    });
    it("that a dead process left is swept after a day, and nothing of others", async () => {
      const prefix = newPrefix();
      const store = openAt({ prefix });
      const keys = ["config", `data/00/00${"a".repeat(62)}`, `data/01/00${"a".repeat(62)}`, "mine"];
      for (const key of keys)
        await rawS3(server).send(
          new CreateMultipartUploadCommand({ Bucket: bucket, Key: `${prefix}/${key}` }),
        );
      expect(await store.sweep(never)).toBe(0);
      moveClock(2 * dayMs);
      expect(await store.sweep(never)).toBe(2);
      expect(await uploadsBelow(prefix)).toEqual(keys.slice(2).map((key) => `${prefix}/${key}`));
    });
  });

  describe("a clock that is wrong", () => {
    it("does not matter, whatever comes first", async () => {
      const data = randomBytes(5 * mebibyte);
      const handle = handleOf("data", data);
      const first: ((store: ObjectStore) => Promise<unknown>)[] = [
        async (store) => await store.stat(handle, never),
        async (store) => await store.save(handle, data, never),
        async (store) => await Array.fromAsync(store.list("data", never)),
        async (store) => await store.streamed?.receive(handle, data.length, inPieces(data), never),
      ];
      for (const act of first)
        for (const byMs of [-dayMs / 24, dayMs / 24]) {
          vi.useRealTimers();
          moveClock(byMs);
          await act(openAt());
        }
    });
  });

  describe("an account", () => {
    it("that has ended is asked for again in mid-run", async () => {
      const user = `machine-${run}`;
      const keysOf = (id: string): StorageAccount => ({
        settings: { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: "secretsecret" },
        expiresMs: undefined,
      });
      const created = ["user", "create", `--uid=${user}`, "--display-name=x"];
      const secret = "--secret-key=secretsecret";
      await radosgwAdmin(server, ...created, `--access-key=${user}-1`, secret);
      const refusals: (StorageAccount | undefined)[] = [];
      let current = keysOf(`${user}-1`);
      const store = openStore(`s3:${server.url}/${user}/x`, {
        accounts: {
          account: async (_signal, refused) => {
            refusals.push(refused);
            if (refused !== undefined) current = keysOf(`${user}-2`);
            return current;
          },
        },
      });
      open.push(store);
      await store.create(never);
      const save = async (): Promise<void> => {
        const data = randomBytes(100);
        await store.save(handleOf("data", data), data, never);
      };
      await save();
      const key = ["key", "create", `--uid=${user}`, "--key-type=s3"];
      await radosgwAdmin(server, ...key, `--access-key=${user}-2`, secret);
      await radosgwAdmin(server, "key", "rm", `--uid=${user}`, `--access-key=${user}-1`);
      await Promise.all([save(), save(), save()]);
      expect(refusals.filter((each) => each !== undefined).length).toBeGreaterThan(0);
      await radosgwAdmin(server, "user", "suspend", `--uid=${user}`);
      await expect(save()).rejects.toMatchObject({ code: "STORE_DENIED" });
    });
    it("that is the wrong one is refused, and never told", async () => {
      const environment = { AWS_ACCESS_KEY_ID: "nobody", AWS_SECRET_ACCESS_KEY: "wrong-secret" };
      const store = openAt({ environment });
      const data = randomBytes(16 * mebibyte);
      const handle = handleOf("data", data);
      const calls = [
        store.stat(handle, never),
        store.save(handle, data, never),
        store.load(handle, undefined, never),
        store.sweep(never),
      ];
      for (const outcome of await Promise.allSettled(calls)) {
        expect(outcome).toMatchObject({ status: "rejected", reason: { code: "STORE_DENIED" } });
        expect(String(outcome.status === "rejected" && outcome.reason)).not.toContain(
          "wrong-secret",
        );
      }
    });
  });

  describe("locks of objects", () => {
    it("are there from the beginning, but for locks of sessions; they are extended, never shortened", async () => {
      const place = `s3:${server.url}/locked-${run}/x`;
      const { environment } = server;
      const store = openStore(place, { environment, retention: { mode: "governance", days: 2 } });
      open.push(store);
      await store.create(never);
      const data = randomBytes(1000);
      const pack = handleOf("data", data);
      const lock = handleOf("locks", data);
      await store.save(lock, data, never);
      await store.save(pack, data, never);
      const index = handleOf("index", data);
      await store.streamed?.receive(index, data.length, inPieces(data), never);
      const locks = store.retentionLocks;
      expect(await locks?.lockedUntil(lock, never)).toBeUndefined();
      for (const handle of [pack, index]) {
        const untilMs = (await locks?.lockedUntil(handle, never)) ?? 0;
        expect(Math.abs(untilMs - Date.now() - 2 * dayMs)).toBeLessThan(dayMs / 24);
      }
      const laterMs = Math.ceil(Date.now() / 1000) * 1000 + 9 * dayMs;
      await locks?.extend(pack, laterMs, never);
      await locks?.extend(pack, Date.now() + dayMs, never);
      expect(await locks?.lockedUntil(pack, never)).toBe(laterMs);
      const absent = handleOf("data", randomBytes(8));
      const missing = { code: "STORE_NOT_FOUND" };
      await expect(locks?.lockedUntil(absent, never)).rejects.toMatchObject(missing);
      await expect(locks?.extend(absent, laterMs, never)).rejects.toMatchObject(missing);
    });
    it("are refused by a bucket that was made without", async () => {
      const store = openAt({ retention: { mode: "compliance", days: 1 } });
      const data = randomBytes(10);
      const saving = store.save(handleOf("data", data), data, never);
      await expect(saving).rejects.toMatchObject({ code: "STORE_DENIED" });
    });
  });

  describe("the way there", () => {
    it("is to the server that an authority of ours vouches for, and to no other", async () => {
      const at = `s3:${server.tlsUrl}/${bucket}/${newPrefix()}`;
      const { environment, authorityFile } = server;
      const data = randomBytes(mebibyte);
      const handle = handleOf("data", data);
      for (const name of ["RESTIC_CACERT", "AWS_CA_BUNDLE"]) {
        const store = openStore(at, { environment: { ...environment, [name]: authorityFile } });
        open.push(store);
        await store.save(handle, data, never);
        expect(Buffer.compare(await store.load(handle, undefined, never), data)).toBe(0);
      }
      const store = openStore(at, { environment });
      open.push(store);
      await expect(store.stat(handle, never)).rejects.toMatchObject({ code: "STORE_UNTRUSTED" });
    });
    it("leads through a proxy with an account, for both schemes, unless exempt", async () => {
      const proxy = await SmallProxy.start({ account: "anna:pass word" });
      try {
        const url = proxy.url.replace("//", "//anna:pass%20word@");
        const proxies = { HTTPS_PROXY: url, HTTP_PROXY: url, RESTIC_CACERT: server.authorityFile };
        const environment = { ...server.environment, ...proxies };
        const data = randomBytes(mebibyte);
        for (const origin of [server.url, server.tlsUrl]) {
          const store = openStore(`s3:${origin}/${bucket}/${newPrefix()}`, { environment });
          open.push(store);
          await store.save(handleOf("data", data), data, never);
          const { host } = new URL(origin);
          const text = expect.stringContaining(host) as string;
          expect(proxy.requests.at(-1)).toEqual({ text, isRefused: false });
        }
        const passed = proxy.requests.length;
        const exempt = { ...environment, NO_PROXY: "localhost" };
        const direct = openStore(`s3:${server.tlsUrl}/${bucket}/x`, { environment: exempt });
        open.push(direct);
        await direct.stat(handleOf("data", data), never);
        expect(proxy.requests).toHaveLength(passed);
        const wrong = { ...environment, HTTPS_PROXY: proxy.url };
        const refused = openStore(`s3:${server.tlsUrl}/${bucket}/x`, { environment: wrong });
        open.push(refused);
        const denied = { code: "STORE_DENIED" };
        const stat = refused.stat(handleOf("data", data), never);
        await expect(stat).rejects.toMatchObject(denied);
      } finally {
        await proxy.stop();
      }
    });
    it("is the bucket's own host where that is wanted", async () => {
      // Names below localhost are not known everywhere; the proxy need not know them.
      const proxy = await SmallProxy.start();
      try {
        const environment = {
          ...server.environment,
          HTTP_PROXY: proxy.url,
          BACKSTAY_S3_BUCKET_LOOKUP: "dns",
        };
        const { port } = new URL(server.url);
        const store = openStore(`s3:http://localhost:${port}/${bucket}/x`, { environment });
        open.push(store);
        await store.stat({ type: "config", name: "" }, never).catch(() => undefined);
        expect(proxy.requests.at(0)?.text).toContain(`${bucket}.localhost:${port}`);
      } finally {
        await proxy.stop();
      }
    });
  });
});

async function* inPieces(data: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += 64 * 1024) yield data.subarray(at, at + 64 * 1024);
}
