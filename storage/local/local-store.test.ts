import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { NodeDurableFiles } from "../../platform/node/node-durable-files.ts";
import { describeStoreContract } from "../store-contract.ts";
import { LocalStore } from "./local-store.ts";

const base = mkdtempSync(join(tmpdir(), "backstay-local-store-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let stores = 0;
const newRoot = (): string => {
  stores += 1;
  return join(base, `store-${stores}`);
};

describeStoreContract("LocalStore", async () => new LocalStore(newRoot()));
describeStoreContract(
  "LocalStore with Node's calls only",
  async () => new LocalStore(newRoot(), { files: new NodeDurableFiles() }),
);
