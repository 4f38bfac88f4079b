import { describe, expect, it } from "vitest";
import { FakeMachineMarks } from "../../platform/fake/fake-machine-marks.ts";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { MemoryKeeper } from "../../test/identity/memory-keeper.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { type IdentityRecord, IdentityStore, type Membership, newMachineKeys } from "./identity.ts";
import { openIdentity } from "./machine-identity.ts";

const membership: Membership = {
  agentId: "agent",
  tenantId: "tenant",
  tenantName: "acme",
  rootKey: "R".repeat(43),
  tokenId: "token",
  urls: ["https://backup.example"],
  pins: [],
  enrolledMs: 1,
};

const marks = new FakeMachineMarks("machine");

function newRecord(): IdentityRecord {
  const keys = newMachineKeys((salt) => fingerprintOf(marks.marks, salt));
  return { version: 1, keys, membership };
}

describe("an identity", () => {
  it("is kept twice, and comes back from either copy", async () => {
    const record = newRecord();
    for (const damaged of ["identity", "identity-copy"])
      for (const damage of [
        (keeper: MemoryKeeper) => keeper.unreadable.add(damaged),
        (keeper: MemoryKeeper) => keeper.kept.set(damaged, Buffer.from("{}")),
        (keeper: MemoryKeeper) => flipBit(keeper, damaged, 200),
        (keeper: MemoryKeeper) => flipBit(keeper, damaged, 3),
        (keeper: MemoryKeeper) => keeper.kept.set(damaged, new Uint8Array(0)),
      ]) {
        const keeper = new MemoryKeeper();
        const store = new IdentityStore(keeper);
        await store.write(record);
        damage(keeper);
        const found = await store.read();
        expect(found.record).toEqual(record);
        expect(found.repaired).toContain(damaged);
        expect(await store.read()).toEqual({ record, repaired: undefined });
      }
  });

  it("that lost its first file comes back; one without a copy gets one, which is no damage", async () => {
    const keeper = new MemoryKeeper();
    const store = new IdentityStore(keeper);
    const record = newRecord();
    await store.write(record);
    await keeper.remove("identity");
    expect((await store.read()).repaired).toMatch(/gone/);
    await keeper.remove("identity-copy");
    expect(await store.read()).toEqual({ record, repaired: undefined });
    expect(keeper.kept.size).toBe(2);
  });

  it("that was damaged in both copies says so, and is never taken for none", async () => {
    const keeper = new MemoryKeeper();
    const store = new IdentityStore(keeper);
    await store.write(newRecord());
    for (const name of ["identity", "identity-copy"]) flipBit(keeper, name, 100);
    const opened = await openIdentity({ store, marks });
    expect(opened.kind).toBe("damaged");
    expect(opened.kind === "damaged" && isBackstayError(opened.error, "IDENTITY_DAMAGED")).toBe(
      true,
    );
  });

  it("is read while the disk is full, although a copy cannot be mended", async () => {
    const keeper = new MemoryKeeper();
    const store = new IdentityStore(keeper);
    await store.write(newRecord());
    flipBit(keeper, "identity", 50);
    keeper.isFull = true;
    expect((await openIdentity({ store, marks })).kind).toBe("enrolled");
  });

  it("interrupted at any write or removal is the old one, the new one, or none, as was meant", async () => {
    const [old, next] = [newRecord(), newRecord()];
    for (let killedAt = 0; killedAt < 2; killedAt += 1)
      for (const change of ["write", "clear"] as const) {
        const keeper = new MemoryKeeper();
        const store = new IdentityStore(keeper);
        await store.write(old);
        let writes = 0;
        keeper.onWrite = () => {
          if (writes === killedAt) throw new Error("killed");
          writes += 1;
        };
        const changing = change === "write" ? store.write(next) : store.clear();
        await expect(changing).rejects.toThrow("killed");
        keeper.onWrite = () => undefined;
        const { record } = await store.read();
        expect([old, next]).toContainEqual(record);
        if (change === "clear") {
          await store.clear();
          expect((await store.read()).record).toBeUndefined();
        }
      }
  });
});

describe("the fingerprint", () => {
  it("of a copied disk keeps the key from being used", async () => {
    const store = new IdentityStore(new MemoryKeeper());
    await store.write(newRecord());
    const copy = new FakeMachineMarks("machine");
    copy.marks = { ...copy.marks, hardware: "another", network: "another" };
    const opened = await openIdentity({ store, marks: copy });
    expect(opened).toMatchObject({
      kind: "copied",
      error: { code: "IDENTITY_OF_OTHER_MACHINE", context: { differing: "hardware, network" } },
    });
    expect((await openIdentity({ store, marks })).kind).toBe("enrolled");
  });

  it("follows single repairs for years, and marks that cannot be read are no difference", async () => {
    const store = new IdentityStore(new MemoryKeeper());
    await store.write(newRecord());
    const machine = new FakeMachineMarks("machine");
    for (const name of ["network", "disk", "hardware", "system"] as const) {
      machine.marks = { ...machine.marks, [name]: "repaired" };
      expect((await openIdentity({ store, marks: machine })).kind).toBe("enrolled");
    }
    expect((await openIdentity({ store, marks })).kind).toBe("copied");
    machine.marks = { system: undefined, hardware: undefined, disk: undefined, network: "other" };
    expect((await openIdentity({ store, marks: machine })).kind).toBe("enrolled");
  });

  it("holds nothing that could be compared with another identity's", () => {
    const [a, b] = ["one salt", "another salt"].map((salt) => fingerprintOf(marks.marks, salt));
    for (const name of Object.keys(a)) expect(a[name]).not.toBe(b[name]);
    expect(JSON.stringify(a)).not.toContain("machine");
    expect(fingerprintOf({ ...marks.marks, disk: undefined }, "one salt")).not.toHaveProperty(
      "disk",
    );
  });
});

function flipBit(keeper: MemoryKeeper, name: string, at: number): void {
  const secret = keeper.kept.get(name);
  if (secret !== undefined) secret[at] ^= 1;
}
