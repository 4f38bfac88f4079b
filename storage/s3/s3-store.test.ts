import { randomBytes } from "node:crypto";
import { beforeAll } from "vitest";
import type { Radosgw } from "../../test/object-storage/radosgw.ts";
import {
  describeWithPrograms,
  radosgwPrograms,
} from "../../test/object-storage/server-programs.ts";
import { sharedRadosgw } from "../../test/object-storage/shared-server.ts";
import { openStore } from "../open-store.ts";
import { describeStoreContract } from "../store-contract.ts";

let places = 0;
const run = randomBytes(4).toString("hex");
/** In one bucket: making one takes the gateway seconds. */
const newPlace = (): string => {
  places += 1;
  return `contract-${run}/place-${places}`;
};

describeWithPrograms("Ceph's gateway", radosgwPrograms, () => {
  let server: Radosgw;
  beforeAll(async () => {
    server = await sharedRadosgw();
  });
  describeStoreContract(
    "S3Store over Ceph's gateway",
    async () => openStore(`s3:${server.url}/${newPlace()}`, { environment: server.environment }),
    { hashNames: true },
  );
});
