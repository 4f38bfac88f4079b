/** The part of the stores' suite about objects that pass through. For stores without `streamed` it says nothing. */
import { randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import type { FileType, Handle, ObjectStore, StreamedObjects } from "./object-store.ts";

const never = new AbortController().signal;
const kibibyte = 1024;

/** What of the suite it needs. */
export interface StreamingSuite {
  readonly at: () => ObjectStore;
  readonly handle: (type: FileType, data: Uint8Array) => Handle;
}

/** Declares it within the suite. */
export function describeStreaming(suite: StreamingSuite): void {
  const whenStreamed = (body: (streamed: StreamedObjects) => Promise<void>) => async () => {
    const { streamed } = suite.at();
    if (streamed !== undefined) await body(streamed);
  };
  describe("objects that pass through", () => {
    it(
      "come out as they went in, whole and in part, of any size and in parts of any size",
      whenStreamed(async (streamed) => {
        const sizes: readonly (readonly [size: number, partBytes: number])[] = [
          [0, 1],
          [70 * kibibyte, 7],
          [9 * kibibyte * kibibyte + 5, 300 * kibibyte],
        ];
        for (const [size, partBytes] of sizes) {
          const data = randomBytes(size);
          const handle = suite.handle("data", data);
          const source = inParts(data, partBytes);
          expect(await streamed.receive(handle, size, source, never)).toBe("created");
          expect(await suite.at().stat(handle, never)).toBe(size);
          await expectContent(streamed, handle, data);
          if (size < 10) continue;
          const part = await streamed.open(handle, { offset: 3, length: size - 5 }, never);
          expect(part?.sizeBytes).toBe(size);
          const read = part === undefined ? Buffer.alloc(0) : await buffer(part.body);
          expect(Buffer.compare(read, data.subarray(3, size - 2))).toBe(0);
        }
      }),
    );
    it(
      "never replace what is there",
      whenStreamed(async (streamed) => {
        const data = randomBytes(1000);
        const handle = suite.handle("data", data);
        await suite.at().save(handle, data, never);
        const other = randomBytes(1000);
        expect(await streamed.receive(handle, 1000, inParts(other, 500), never)).toBe("exists");
        await expectContent(streamed, handle, data);
        const raced = suite.handle("index", data);
        const outcomes = await Promise.all(
          [1, 2, 3].map(() => streamed.receive(raced, 1000, inParts(data, 400), never)),
        );
        const winners = outcomes.filter((outcome) => outcome === "created");
        if (suite.at().capabilities.atomicCreate) expect(winners.length).toBeLessThanOrEqual(1);
        await expectContent(streamed, raced, data);
      }),
    );
    it(
      "are not there at all if their source breaks off or is given up, however late",
      whenStreamed(async (streamed) => {
        const data = randomBytes(9 * kibibyte * kibibyte);
        const handle = suite.handle("data", data);
        const failure = new Error("the source broke off");
        for (const good of [0, 1000, data.length - 1]) {
          const broken = breakingOff(data.subarray(0, good), failure);
          await expect(streamed.receive(handle, data.length, broken, never)).rejects.toBe(failure);
          expect(await suite.at().stat(handle, never)).toBeUndefined();
        }
        const controller = new AbortController();
        const reason = new Error("the reason");
        const given = async function* (): AsyncGenerator<Uint8Array> {
          yield data.subarray(0, 1000);
          controller.abort(reason);
          await new Promise((resolve) => setImmediate(resolve));
          yield data.subarray(1000, data.length - 1);
        };
        await expect(
          streamed.receive(handle, data.length, given(), controller.signal),
        ).rejects.toBe(reason);
        expect(await suite.at().stat(handle, never)).toBeUndefined();
        expect(
          await streamed.receive(handle, data.length, inParts(data, 100 * kibibyte), never),
        ).toBe("created");
      }),
    );
    it(
      "are undefined if there are none, and refused beyond their end",
      whenStreamed(async (streamed) => {
        const data = randomBytes(100);
        const handle = suite.handle("snapshots", data);
        expect(await streamed.open(handle, undefined, never)).toBeUndefined();
        await suite.at().save(handle, data, never);
        await expect(
          streamed.open(handle, { offset: 50, length: 51 }, never),
        ).rejects.toMatchObject({ code: "STORE_RANGE" });
        const left = await streamed.open(handle, undefined, never);
        left?.body.destroy();
        await expectContent(streamed, handle, data);
      }),
    );
    it(
      "have places of their own further down",
      whenStreamed(async (streamed) => {
        const store = suite.at();
        const first = store.below?.("tenant-1/machine-1");
        const second = store.below?.("tenant-1/machine-2");
        if (first === undefined || second === undefined) return;
        const data = randomBytes(50);
        const handle = suite.handle("keys", data);
        expect(await first.streamed?.receive(handle, 50, inParts(data, 50), never)).toBe("created");
        expect(await Array.fromAsync(second.list("keys", never))).toEqual([]);
        expect(await second.stat(handle, never)).toBeUndefined();
        expect(await streamed.open(handle, undefined, never)).toBeUndefined();
        expect(await Array.fromAsync(store.list("keys", never))).toEqual([]);
        const listed = await Array.fromAsync(
          store.below?.("tenant-1/machine-1").list("keys", never) ?? [],
        );
        expect(listed).toEqual([{ name: handle.name, size: 50 }]);
        await first.close();
        expect(await store.stat(handle, never)).toBeUndefined();
        await first.remove(handle, never);
      }),
    );
  });
}

async function expectContent(
  streamed: StreamedObjects,
  handle: Handle,
  data: Uint8Array,
): Promise<void> {
  const opened = await streamed.open(handle, undefined, never);
  expect(opened?.sizeBytes).toBe(data.length);
  const read = opened === undefined ? Buffer.alloc(0) : await buffer(opened.body);
  expect(Buffer.compare(read, data)).toBe(0);
}

async function* inParts(data: Uint8Array, partBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += partBytes) yield data.subarray(at, at + partBytes);
}

async function* breakingOff(data: Uint8Array, failure: Error): AsyncGenerator<Uint8Array> {
  yield* inParts(data, 64 * kibibyte);
  throw failure;
}
