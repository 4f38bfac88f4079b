/** Every remote store with faults between it and its server. */
import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { newMemoryFolder } from "../memory-folder.ts";
import { Azurite } from "../object-storage/azurite.ts";
import { FakeGoogle } from "../object-storage/google-fake/fake-google.ts";
import type { Radosgw } from "../object-storage/radosgw.ts";
import { describeRemoteStoreFaults } from "../object-storage/remote-store-faults.ts";
import {
  azuritePlace,
  googlePlace,
  radosgwPlace,
  restServerPlace,
} from "../object-storage/remote-store-places.ts";
import { sharedRadosgw } from "../object-storage/shared-server.ts";
import { describeWithPeers } from "../peers.ts";
import { type RunningServer, startRestServer } from "../rest/rest-servers.ts";

const mebibyte = 1024 * 1024;

describeWithPeers("rest-server", ["restServer"], (peers) => {
  const folder = newMemoryFolder("backstay-faults-rest-");
  let server: RunningServer;
  beforeAll(async () => {
    server = await startRestServer(peers.restServer, path.join(folder, "data"));
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });
  const traits = { noOwnObjects: true, refusesVaguely: true };
  describeRemoteStoreFaults("RestStore", async () => restServerPlace(server), traits);
});

describe("Azurite", () => {
  let server: Azurite;
  beforeAll(async () => {
    server = await Azurite.start();
  });
  afterAll(async () => await server.stop());
  describeRemoteStoreFaults("the store of azure:", async () => azuritePlace(server), {
    partedBytes: 9 * mebibyte,
  });
});

describe("Ceph's gateway", () => {
  let server: Radosgw;
  beforeAll(async () => {
    server = await sharedRadosgw();
  });
  describeRemoteStoreFaults("the store of s3:", async () => radosgwPlace(server), {
    partedBytes: 17 * mebibyte,
  });
});

describe("the stand-in for Google Cloud Storage", () => {
  let server: FakeGoogle;
  beforeAll(async () => {
    server = await FakeGoogle.start();
  });
  afterAll(async () => await server.stop());
  describeRemoteStoreFaults("the store of gs:", async () => googlePlace(server), {
    partedBytes: 9 * mebibyte,
    checksLoads: true,
  });
});
