import { describe, expect, it } from "vitest";
import { describeStoreContract } from "../store-contract.ts";
import { MemoryStore } from "./memory-store.ts";

describeStoreContract("MemoryStore", async () => new MemoryStore());

describe("MemoryStore", () => {
  it("shares nothing with another", async () => {
    const never = new AbortController().signal;
    const [first, second] = [new MemoryStore(), new MemoryStore()];
    await first.save({ type: "config", name: "" }, Uint8Array.of(1), never);
    expect(await second.stat({ type: "config", name: "" }, never)).toBeUndefined();
  });
});
