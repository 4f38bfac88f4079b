/** Who we are at Google, and by which way: tokens that end, service accounts, proxies and authorities. */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { failure } from "../../test/object-storage/call-failure.ts";
import { FakeGoogle } from "../../test/object-storage/google-fake/fake-google.ts";
import { GoogleByProxy } from "../../test/object-storage/google-fake/google-by-proxy.ts";
import type { StorageAccount } from "../account-source.ts";
import type { Handle, ObjectStore } from "../object-store.ts";
import { type OpenStoreOptions, openStore } from "../open-store.ts";

const never = new AbortController().signal;
const lock: Handle = { type: "locks", name: "ab".repeat(32) };

let google: GoogleByProxy;
let strict: FakeGoogle;
let store: ObjectStore | undefined;
beforeAll(async () => {
  google = await GoogleByProxy.start();
  strict = await FakeGoogle.start({ wantsTokens: true });
  for (const fake of [google.fake, strict]) fake.bucket("some-bucket");
});
afterAll(async () => {
  await google.stop();
  await strict.stop();
});
afterEach(async () => {
  await store?.close();
  store = undefined;
  google.fake.clockOffsetMs = 0;
});

function open(options: OpenStoreOptions): ObjectStore {
  store = openStore("gs:some-bucket:/some/prefix", options);
  return store;
}

describe("a token", () => {
  it("that ends in mid-run is asked for again, once", async () => {
    const given: StorageAccount[] = [];
    const refused: (StorageAccount | undefined)[] = [];
    const opened = open({
      environment: { STORAGE_EMULATOR_HOST: strict.url },
      accounts: {
        account: async (_signal, wasRefused) => {
          refused.push(wasRefused);
          const last = given.at(-1);
          if (last !== undefined && wasRefused === undefined) return last;
          const settings = { GOOGLE_ACCESS_TOKEN: strict.tokens.issue() };
          const account = { settings, expiresMs: Date.now() + 3_600_000 };
          given.push(account);
          return account;
        },
      },
    });
    await opened.save(lock, Buffer.from("1"), never);
    strict.tokens.revokeAll();
    expect(await opened.stat(lock, never)).toBe(1);
    await opened.remove(lock, never);
    expect(given).toHaveLength(2);
    expect(refused.filter((account) => account !== undefined)).toEqual([given[0]]);
  });
  it("that is refused and can't be renewed is a refusal, and is not shown", async () => {
    const token = strict.tokens.issue(-1);
    const opened = open({
      environment: { STORAGE_EMULATOR_HOST: strict.url, GOOGLE_ACCESS_TOKEN: token },
    });
    expect(await failure(opened.stat(lock, never), token)).toMatchObject({
      code: "STORE_DENIED",
      context: { status: 401 },
    });
    const source = { account: async () => ({ settings: {}, expiresMs: undefined }) };
    await opened.close();
    const without = open({ environment: { STORAGE_EMULATOR_HOST: strict.url }, accounts: source });
    expect((await failure(without.stat(lock, never))).code).toBe("STORE_DENIED");
  });
});

describe("a service account", () => {
  it("works by its file and by its document, through a proxy with an account and a private authority", async () => {
    const { GOOGLE_APPLICATION_CREDENTIALS: _file, ...others } = google.environment;
    const document = { ...others, BACKSTAY_GOOGLE_CREDENTIALS: google.credentials };
    for (const environment of [google.environment, document]) {
      const opened = open({ environment });
      await opened.save(lock, Buffer.from("1"), never);
      await opened.remove(lock, never);
      await opened.close();
    }
    const tokens = google.fake.requests.filter((request) => request === "POST /token");
    expect(tokens).toHaveLength(2);
  });
  it("gets another token when the storage refuses the one it has", async () => {
    const opened = open({ environment: google.environment });
    expect(await opened.stat(lock, never)).toBeUndefined();
    google.fake.tokens.revokeAll();
    expect(await opened.stat(lock, never)).toBeUndefined();
  });
  it("is not waited for by who has given up", async () => {
    // A proxy that takes connections, and never answers.
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const environment = { ...google.environment, HTTPS_PROXY: `http://127.0.0.1:${port}` };
    const opened = open({ environment });
    const controller = new AbortController();
    const reason = new Error("the reason");
    silent.once("connection", () => controller.abort(reason));
    const sockets = new Set<Socket>();
    silent.on("connection", (socket) => sockets.add(socket));
    await expect(opened.stat(lock, controller.signal)).rejects.toBe(reason);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });
  it("of a machine whose clock is wrong is told so", async () => {
    google.fake.clockOffsetMs = 4_500_000;
    const opened = open({ environment: google.environment });
    expect((await failure(opened.stat(lock, never))).code).toBe("STORE_CLOCK");
  });
  it("that Google does not know is a refusal without its key", async () => {
    const document = JSON.parse(google.credentials) as Record<string, string>;
    const stranger = { ...document, client_email: "nobody@fake-project.iam.gserviceaccount.com" };
    const key = document["private_key"].split("\n")[1];
    const { GOOGLE_APPLICATION_CREDENTIALS: _file, ...others } = google.environment;
    const opened = open({
      environment: { ...others, BACKSTAY_GOOGLE_CREDENTIALS: JSON.stringify(stranger) },
    });
    expect(await failure(opened.stat(lock, never), key, "pr0xy-secret")).toMatchObject({
      code: "STORE_DENIED",
    });
  });
  it("whose document is none, or would start programs, is refused before anything is sent", async () => {
    const { GOOGLE_APPLICATION_CREDENTIALS: _file, ...others } = google.environment;
    google.fake.requests.length = 0;
    const documents = [
      "planted-secret",
      JSON.stringify({ type: "unheard-of", private_key: "planted-secret" }),
      JSON.stringify({
        type: "external_account",
        credential_source: { executable: { command: "planted-secret" } },
      }),
    ];
    for (const text of documents) {
      const opened = open({ environment: { ...others, BACKSTAY_GOOGLE_CREDENTIALS: text } });
      expect((await failure(opened.stat(lock, never), "planted-secret")).code).toBe("USAGE");
      await opened.close();
    }
    const gone = open({
      environment: { ...others, GOOGLE_APPLICATION_CREDENTIALS: "/nowhere/at/all.json" },
    });
    expect((await failure(gone.stat(lock, never))).code).toBe("USAGE");
    expect(google.fake.requests).toEqual([]);
  });
});

describe("the way to Google", () => {
  it("without the authority, or by the wrong proxy account, is none, and nothing is sent", async () => {
    google.fake.requests.length = 0;
    const { RESTIC_CACERT: _authority, ...trusting } = google.environment;
    const token = { GOOGLE_ACCESS_TOKEN: "planted-token" };
    const untrusted = open({ environment: { ...trusting, ...token } });
    expect((await failure(untrusted.stat(lock, never), "planted-token")).code).toBe(
      "STORE_UNTRUSTED",
    );
    await untrusted.close();
    const wrong = new URL(google.proxy.url);
    wrong.username = "proxy-user";
    wrong.password = "wrong-secret";
    const environment = { ...google.environment, ...token, HTTPS_PROXY: wrong.href };
    const refused = open({ environment });
    expect(await failure(refused.stat(lock, never), "wrong-secret", "planted-token")).toMatchObject(
      {
        code: "STORE_DENIED",
      },
    );
    expect(google.fake.requests).toEqual([]);
  });
});

describe("a token that is bound to a machine's prefix", () => {
  it("reads, lists and creates there, and nowhere else, and removes only locks", async () => {
    const form = new URLSearchParams({
      subject_token: strict.tokens.issue(),
      options: JSON.stringify({
        accessBoundary: {
          accessBoundaryRules: [
            {
              availableResource: "//storage.googleapis.com/projects/_/buckets/some-bucket",
              availablePermissions: [
                "inRole:roles/storage.objectViewer",
                "inRole:roles/storage.objectCreator",
              ],
              availabilityCondition: {
                expression:
                  "resource.name.startsWith('projects/_/buckets/some-bucket/objects/mine/') || api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('mine/')",
              },
            },
            {
              availableResource: "//storage.googleapis.com/projects/_/buckets/some-bucket",
              availablePermissions: ["inRole:roles/storage.objectUser"],
              availabilityCondition: {
                expression:
                  "resource.name.startsWith('projects/_/buckets/some-bucket/objects/mine/locks/')",
              },
            },
          ],
        },
      }),
    });
    const answer = await fetch(`${strict.url}/v1/token`, { method: "POST", body: form });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    const environment = { STORAGE_EMULATOR_HOST: strict.url, GOOGLE_ACCESS_TOKEN: token };
    const mine = openStore("gs:some-bucket:/mine", { environment });
    const theirs = openStore("gs:some-bucket:/theirs", { environment });
    strict.bucket("some-bucket").insert(`theirs/locks/${lock.name}`, Buffer.from("1"), {}, {});
    const key: Handle = { type: "keys", name: lock.name };
    await mine.create(never);
    for (const handle of [lock, key]) {
      // Google says to such an account that it is forbidden.
      expect(await mine.stat(handle, never)).toBeUndefined();
      expect((await failure(mine.load(handle, undefined, never))).code).toBe("STORE_NOT_FOUND");
      expect(await mine.streamed?.open(handle, undefined, never)).toBeUndefined();
      await mine.save(handle, Buffer.from("1"), never);
      expect(await mine.stat(handle, never)).toBe(1);
    }
    expect(await Array.fromAsync(mine.list("keys", never))).toHaveLength(1);
    await mine.remove(lock, never);
    await mine.remove(lock, never);
    const denied: (() => Promise<unknown>)[] = [
      () => mine.remove(key, never),
      () => theirs.stat(lock, never),
      () => theirs.load(lock, undefined, never),
      () => theirs.remove(lock, never),
      () => theirs.save(key, Buffer.from("1"), never),
      () => Array.fromAsync(theirs.list("locks", never)),
    ];
    for (const call of denied) expect((await failure(call(), token)).code).toBe("STORE_DENIED");
    await mine.close();
    await theirs.close();
  });
});
