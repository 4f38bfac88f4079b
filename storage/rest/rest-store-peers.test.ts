import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { describeWithPeers } from "../../test/peers.ts";
import { type RunningServer, startRclone, startRestServer } from "../../test/rest/rest-servers.ts";
import type { Handle } from "../object-store.ts";
import { openSteadyStore } from "../open-steady-store.ts";
import { openStore } from "../open-store.ts";
import { describeStoreContract } from "../store-contract.ts";

const never = new AbortController().signal;
const config: Handle = { type: "config", name: "" };
const folder = newMemoryFolder("backstay-rest-peers-");
afterAll(() => execFileSync("rm", ["-rf", folder]));
let places = 0;
const newPlace = (): string => {
  places += 1;
  return `repository-${places}`;
};

describeWithPeers("rest-server", ["restServer"], ({ restServer }) => {
  let server: RunningServer;
  let appending: RunningServer;
  beforeAll(async () => {
    server = await startRestServer(restServer, path.join(folder, "full"));
    appending = await startRestServer(restServer, path.join(folder, "appending"), "--append-only");
  });
  afterAll(async () => {
    await server.stop();
    await appending.stop();
  });
  const foreign = { hashNames: true, noOwnObjects: true };
  describeStoreContract(
    "RestStore over rest-server",
    async () => openStore(`rest:${server.url}/${newPlace()}/`),
    foreign,
  );
  it("is told that it locks nothing before anything is stored", async () => {
    const store = openStore(`rest:${server.url}/${newPlace()}/`, {
      retention: { mode: "compliance", days: 1 },
    });
    await store.create(never);
    const saving = store.save(config, new Uint8Array(9), never);
    await expect(saving).rejects.toMatchObject({ code: "STORE_LACKS" });
    expect(store.retentionLocks).toBeUndefined();
    expect(await store.stat(config, never)).toBeUndefined();
    await store.close();
  });
  describeStoreContract(
    "RestStore over rest-server that only appends, with retries and limits,",
    async () =>
      openSteadyStore(`rest:${appending.url}/${newPlace()}`, {
        onRetry: ({ what, error }) => expect.fail(`${what}: ${error.message}`),
      }),
    { ...foreign, appendOnly: true },
  );
});

describeWithPeers("rest-server with accounts and a quota", ["restServer"], ({ restServer }) => {
  let server: RunningServer;
  beforeEach(async () => {
    const place = path.join(folder, newPlace());
    mkdirSync(path.join(place, "data"), { recursive: true });
    const file = path.join(place, "accounts");
    const hash = createHash("sha1").update("se cret%").digest("base64");
    writeFileSync(file, `anna:{SHA}${hash}\n`);
    server = await startRestServer(
      restServer,
      path.join(place, "data"),
      ...["--htpasswd-file", file, "--private-repos", "--max-size", "100000"],
    );
  });
  afterEach(async () => await server.stop());

  it("takes the account from the address or the environment, and never shows it", async () => {
    const { host } = new URL(server.url);
    const password = encodeURIComponent("se cret%");
    const stores = [
      openStore(`rest:http://anna:${password}@${host}/anna/`),
      openStore(`rest:http://${host}/anna/`, {
        environment: { RESTIC_REST_USERNAME: "anna", RESTIC_REST_PASSWORD: "se cret%" },
      }),
      openStore(`rest:http://anna@${host}/anna/`, {
        environment: { RESTIC_REST_PASSWORD: "se cret%" },
      }),
    ];
    for (const store of stores) {
      await store.create(never);
      expect(await store.stat(config, never)).toBeUndefined();
      expect(store.location).toBe(`rest:http://${host}/anna/`);
      await store.close();
    }
  });
  it("is a refusal without the right account, and in somebody else's place", async () => {
    const { host } = new URL(server.url);
    const addresses = [
      `rest:http://${host}/anna/`,
      `rest:http://anna:wrongsecret@${host}/anna/`,
      `rest:http://anna:se%20cret%25@${host}/berta/`,
    ];
    for (const address of addresses) {
      const store = openStore(address);
      const failure: unknown = await store.stat(config, never).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "STORE_DENIED", kind: "permanent" });
      expect(String(failure)).not.toMatch(/secret|se cret|se%20/);
      await store.close();
    }
  });
  it("is full when the quota is reached", async () => {
    const { host } = new URL(server.url);
    const store = openStore(`rest:http://anna:se%20cret%25@${host}/anna/`);
    await store.create(never);
    await store.save(config, new Uint8Array(1000), never);
    const handle: Handle = { type: "data", name: "ab".repeat(32) };
    await expect(store.save(handle, new Uint8Array(200_000), never)).rejects.toMatchObject({
      code: "STORE_FULL",
    });
    expect(await store.stat(handle, never)).toBeUndefined();
    await store.close();
  });
});

describeWithPeers("rclone", ["rclone"], ({ rclone }) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startRclone(rclone, path.join(folder, "rclone"));
  });
  afterAll(async () => await server.stop());
  it("keeps files, and it is known that it may overwrite and that a save may leave half of one", async () => {
    const store = openStore(`rest:${server.url}/${newPlace()}/`);
    await store.create(never);
    expect(store.capabilities.atomicCreate).toBe(false);
    const content = new Uint8Array(300_000).fill(7);
    const name = createHash("sha256").update(content).digest("hex");
    const handle: Handle = { type: "data", name };
    await store.save(handle, content, never);
    expect(await store.stat(handle, never)).toBe(content.length);
    expect(await store.load(handle, { offset: 5, length: 10 }, never)).toEqual(
      content.slice(5, 15),
    );
    const listed: unknown[] = [];
    for await (const file of store.list("data", never)) listed.push(file);
    expect(listed).toEqual([{ name, size: content.length }]);
    await store.remove(handle, never);
    expect(await store.stat(handle, never)).toBeUndefined();
    await store.close();
  });
});
