import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { FaultyStore, type ScriptedFault } from "./fault/faulty-store.ts";
import { LocalStore } from "./local/local-store.ts";
import { MemoryStore } from "./memory/memory-store.ts";
import type { ObjectStore } from "./object-store.ts";
import { StoreInspection } from "./store-inspection.ts";

const never = new AbortController().signal;
const folder = mkdtempSync(path.join(tmpdir(), "backstay-inspection-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Findings in few words. */
async function verdicts(store: ObjectStore): Promise<string[]> {
  const found = await Array.fromAsync(new StoreInspection(store).findings(never));
  for (const { verdict, remedy } of found) if (verdict !== "good") expect(remedy).toBeTruthy();
  return found.map(({ check, verdict }) => `${check} ${verdict}`);
}

const denied = (methods: ScriptedFault["methods"]): ScriptedFault => ({
  fault: "before",
  code: "STORE_DENIED",
  failAt: 1,
  times: Number.POSITIVE_INFINITY,
  ...(methods === undefined ? {} : { methods }),
});
const allGood = ["reach", "list", "write", "read", "create-only", "remove"].map(
  (check) => `${check} good`,
);

it("a place that is as it should be is found good, and nothing is left there", async () => {
  for (const store of [new MemoryStore(), new LocalStore(path.join(folder, "new"))]) {
    expect(await verdicts(store)).toEqual(allGood);
    expect(await Array.fromAsync(store.list("backstay", never))).toEqual([]);
  }
});

it("an account that may only read is told that it can restore, and not back up", async () => {
  const inspection = new StoreInspection(
    new FaultyStore(new MemoryStore(), denied(["create", "save", "remove"])),
  );
  const found = await Array.fromAsync(inspection.findings(never));
  expect(found.map(({ verdict }) => verdict)).toEqual(["good", "good", "bad"]);
  expect(found.at(-1)?.found).toContain("can still be restored");
});

it("an account that may not remove is good, and what stays is named", async () => {
  const memory = new MemoryStore();
  const found = await Array.fromAsync(
    new StoreInspection(new FaultyStore(memory, denied(["remove"]))).findings(never),
  );
  expect(found.at(-1)).toMatchObject({ check: "remove", verdict: "good" });
  const [left] = await Array.fromAsync(memory.list("backstay", never));
  expect(found.at(-1)?.found).toContain(`backstay/${left?.name}`);
});

it("what does not answer, gives other bytes or replaces objects is bad", async () => {
  const gone = new FaultyStore(new MemoryStore(), {
    fault: "before",
    failAt: 1,
    times: Number.POSITIVE_INFINITY,
  });
  expect(await verdicts(gone)).toEqual(["reach bad"]);
  const flipped = new FaultyStore(new MemoryStore(), { fault: "flipped", failAt: 1 });
  expect(await verdicts(flipped)).toContain("read bad");
  const replacing = new MemoryStore();
  const save = replacing.save.bind(replacing);
  replacing.save = async (handle, data, signal) => {
    await replacing.remove(handle, signal);
    await save(handle, data, signal);
  };
  expect(await verdicts(replacing)).toContain("create-only bad");
  expect(await Array.fromAsync(replacing.list("backstay", never))).toEqual([]);
});

it("ends with the reason of its signal, and removes its object if nobody asks for more", async () => {
  const reason = new Error("the reason");
  const aborted = new StoreInspection(new MemoryStore()).findings(AbortSignal.abort(reason));
  await expect(Array.fromAsync(aborted)).rejects.toBe(reason);
  const memory = new MemoryStore();
  for await (const { check } of new StoreInspection(memory).findings(never))
    if (check === "read") break;
  expect(await Array.fromAsync(memory.list("backstay", never))).toEqual([]);
});
