/** Objects that pass through the wrappers of stores, and locks of objects likewise. */
import { buffer } from "node:stream/consumers";
import { expect, it } from "vitest";
import { FakeClock } from "../platform/fake/fake-clock.ts";
import { BackstayError } from "../protocol/backstay-error.ts";
import { FaultyStore, type ScriptedFault } from "./fault/faulty-store.ts";
import { LimitedStore } from "./limit/limited-store.ts";
import { MemoryStore } from "./memory/memory-store.ts";
import type { Handle, ObjectStore, RetentionLocks } from "./object-store.ts";
import { RetryStore } from "./retry/retry-store.ts";
import { TracedStore } from "./trace/traced-store.ts";

const never = new AbortController().signal;
const handle: Handle = { type: "data", name: "cd".repeat(32) };
const data = Uint8Array.from({ length: 1000 }, (_, i) => i);

/** Keeps until when objects are locked. */
class LockingStore extends MemoryStore implements ObjectStore {
  readonly untilMs = new Map<string, number>();
  readonly retentionLocks: RetentionLocks = {
    lockedUntil: async ({ name }) => this.untilMs.get(name),
    extend: async ({ name }, untilMs) => void this.untilMs.set(name, untilMs),
  };
}

async function* parts(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += 100) yield data.subarray(at, at + 100);
}

async function receive(store: ObjectStore): Promise<string> {
  return (await store.streamed?.receive(handle, data.length, parts(), never)) ?? "not streamed";
}

async function read(store: ObjectStore): Promise<Uint8Array> {
  const opened = await store.streamed?.open(handle, undefined, never);
  if (opened === undefined) throw new Error("it is not there");
  return new Uint8Array(await buffer(opened.body));
}

const clock = new FakeClock();
const retry = (inner: ObjectStore) =>
  new RetryStore(inner, { clock: new FakeClock(), random: () => 0 });
const unavailable = { code: "STORE_UNAVAILABLE" };

it("no wrapper promises what its store has not, and all pass on what it has", async () => {
  const bare = Object.assign(new MemoryStore(), { streamed: undefined });
  const wrap = [
    retry,
    (inner: ObjectStore) => new LimitedStore(inner, { clock }),
    (inner: ObjectStore) => new TracedStore(inner, clock),
    (inner: ObjectStore) => new FaultyStore(inner),
  ];
  for (const wrapped of wrap) {
    expect([wrapped(bare).streamed, wrapped(bare).retentionLocks]).toEqual([undefined, undefined]);
    const store = wrapped(new LockingStore());
    expect([await receive(store), await receive(store)]).toEqual(["created", "exists"]);
    expect(await read(store)).toEqual(data);
    await store.retentionLocks?.extend(handle, 5, never);
    expect(await store.retentionLocks?.lockedUntil(handle, never)).toBe(5);
  }
});

it("what fails before its body has begun is tried again, and nothing after that", async () => {
  const before: ScriptedFault = { fault: "before", failAt: 1, times: 2 };
  expect(await receive(retry(new FaultyStore(new MemoryStore(), before)))).toBe("created");
  const memory = new MemoryStore();
  const torn = retry(new FaultyStore(memory, { fault: "torn", failAt: 1 }));
  await expect(receive(torn)).rejects.toMatchObject(unavailable);
  expect(await memory.stat(handle, never)).toBeUndefined();
  expect(await receive(torn)).toBe("created");
  const opening = retry(new FaultyStore(memory, { fault: "after", failAt: 1, methods: ["load"] }));
  expect(await read(opening)).toEqual(data);
  const locks = retry(new FaultyStore(new LockingStore(), { fault: "before", failAt: 1 }));
  await locks.retentionLocks?.extend(handle, 7, never);
  expect(await locks.retentionLocks?.lockedUntil(handle, never)).toBe(7);
  const failure = new BackstayError("STORE_UNAVAILABLE");
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield data;
    throw failure;
  };
  await expect(
    retry(new MemoryStore()).streamed?.receive(handle, 2000, broken(), never),
  ).rejects.toBe(failure);
});

it("a rate holds for what passes through, in both directions", async () => {
  const waiting = new FakeClock();
  const store = new LimitedStore(new MemoryStore(), {
    clock: waiting,
    uploadBytesPerSecond: 100,
    downloadBytesPerSecond: 50,
  });
  const beginMs = waiting.monotonic();
  await receive(store);
  const sentMs = waiting.monotonic();
  expect(sentMs - beginMs).toBeGreaterThanOrEqual(8000);
  // The first goes at once; what it owes, the next one waits for.
  for (const _each of [1, 2]) expect(await read(store)).toEqual(data);
  expect(waiting.monotonic() - sentMs).toBeGreaterThanOrEqual(19_000);
});

it("a body that nobody reads gives its connection back", async () => {
  const memory = new MemoryStore();
  await receive(memory);
  const opened = await memory.streamed.open(handle, undefined, never);
  if (opened === undefined) throw new Error("it is not there");
  Object.assign(memory, { streamed: { ...memory.streamed, open: async () => opened } });
  const limited = await new LimitedStore(memory, { clock }).streamed?.open(
    handle,
    undefined,
    never,
  );
  limited?.body.destroy();
  await expect.poll(() => opened.body.destroyed, { timeout: 10_000 }).toBe(true);
});

it("what passes through is counted and traced as what it is", async () => {
  const calls: string[] = [];
  const store = new TracedStore(new LockingStore(), clock, ({ method, bytes }) => {
    calls.push(`${method} ${bytes}`);
  });
  await receive(store);
  await receive(store);
  await read(store);
  await store.retentionLocks?.extend(handle, 1, never);
  await store.retentionLocks?.lockedUntil(handle, never);
  expect(calls).toEqual(["save 1000", "save 0", "load 1000", "save 0", "stat 0"]);
  expect(store.traffic.bytesUp.data).toBe(1000);
  expect(store.traffic.bytesDown.data).toBe(1000);
});

it("faults flip a bit of what passes out", async () => {
  const store = new FaultyStore(new MemoryStore(), { fault: "flipped", failAt: 1 });
  await receive(store);
  const flipped = await read(store);
  expect(flipped).not.toEqual(data);
  expect(flipped.length).toBe(data.length);
  expect(await read(store)).toEqual(data);
});
