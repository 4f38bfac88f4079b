/**
 * The suite of faults between a remote store and its server. Whatever happens on the way, a call succeeds with exactly the
 * right bytes or fails with a code of ours: no wrong byte, no half file in a list, nothing overwritten, nothing endless.
 * A sample of the places where something can break is played; `BACKSTAY_FAULTS=all` plays many more.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCheck } from "../../agent/check/run-check.ts";
import { Repository } from "../../agent/repository/repository.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import type { ByteRange, Handle, ObjectStore } from "../../storage/object-store.ts";
import { RequestCounts } from "../../storage/request-counts.ts";
import { BackupScene, scenePassword } from "../backup/backup-scene.ts";
import { noiseOf } from "../backup/noise.ts";
import { differences } from "../backup/snapshot-compare.ts";
import { type Fault, type FaultPlan, storm, strikeAt } from "./fault-plan.ts";
import type { SeenRequest } from "./fault-proxy.ts";
import {
  expectBytes,
  outcomeOf,
  type RemoteStorePlace,
  RemoteStoreScene,
} from "./remote-store-scene.ts";

const never = new AbortController().signal;
const samples = process.env["BACKSTAY_FAULTS"] === "all" ? 200 : 4;
const unavailable = { code: "STORE_UNAVAILABLE", kind: "temporary" };

/** A file of so many bytes is a large one. */
const passingBytesMin = 1024 * 1024;

/** What a store, or its server, can do. */
export interface FaultTraits {
  /** What passes through, of so many bytes, goes up in several requests; 1 MiB if there is no such size. */
  readonly partedBytes?: number;
  /** It compares whole files with a checksum that the server gives; if not, the repository finds what is wrong. */
  readonly checksLoads?: boolean;
  /** A server that finds another content than was announced refuses in a way that is no different from other refusals. */
  readonly refusesVaguely?: boolean;
  /** Keeps no objects of Backstay's own. */
  readonly noOwnObjects?: boolean;
}

type At = () => RemoteStoreScene;

/** Declares the suite. `open` makes a new empty place, once for each test. */
export function describeRemoteStoreFaults(
  name: string,
  open: () => Promise<RemoteStorePlace>,
  traits: FaultTraits = {},
): void {
  describe(`${name} with faults on the way`, () => {
    let scene: RemoteStoreScene | undefined;
    beforeEach(async () => {
      scene = await RemoteStoreScene.begin(await open());
    });
    afterEach(async () => {
      await scene?.end();
      scene = undefined;
    });
    const at = (): RemoteStoreScene => {
      if (scene === undefined) throw new Error("no scene has begun");
      return scene;
    };
    describeUploads(at, traits);
    describeOverwriting(at, traits);
    describeDownloads(at, traits);
    describeLists(at);
    describeRefusals(at);
    describeStanding(at);
    describeBackup(at);
  });
}

/** A fault at one request, counted from 0. */
interface Case {
  readonly index: number;
  readonly fault: Fault;
}

function planOf({ index, fault }: Case): FaultPlan {
  return strikeAt(index + 1, fault);
}

/** Some of all cases, always the same ones. */
function sampleOf(cases: readonly Case[], seed: number): readonly Case[] {
  const random = seededRandom(seed);
  const drawn = cases.map((each) => ({ each, order: random() }));
  drawn.sort((a, b) => a.order - b.order);
  return drawn.slice(0, samples).map(({ each }) => each);
}

/** Where something can break in a body: at its ends, beside them, and in between. */
function placesIn(bytes: number): readonly number[] {
  const between = [0.07, 0.31, 0.5, 0.77, 0.96].map((share) => Math.floor(bytes * share));
  return [...new Set([0, 1, ...between, bytes - 1, bytes])].filter((at) => at >= 0 && at <= bytes);
}

function cutsUp(requests: readonly SeenRequest[]): Case[] {
  return requests.flatMap(({ index, bytesUp }) =>
    placesIn(bytesUp).map((atByte) => ({ index, fault: { kind: "cut", way: "up", atByte } })),
  );
}

/** A small file as sessions save it, a large one as a gateway passes it through, where the store does that. */
async function put(store: ObjectStore, handle: Handle, data: Uint8Array): Promise<void> {
  if (data.length < passingBytesMin || store.streamed === undefined)
    return await store.save(handle, data, never);
  const piece = 256 * 1024;
  async function* source(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < data.length; at += piece) yield data.subarray(at, at + piece);
  }
  await store.streamed.receive(handle, data.length, source(), never);
}

function describeUploads(at: At, traits: FaultTraits): void {
  const sizes = [60_000, traits.partedBytes ?? passingBytesMin];
  /** Plays a fault during a save: whole or absent then, and there when it is saved again. */
  async function play(each: Case, bytes: number, mayEnd: object): Promise<boolean> {
    const scene = at();
    const { handle, data } = scene.content(bytes);
    const story = `save of ${bytes} bytes, ${JSON.stringify(each)}`;
    scene.proxy.follow(planOf(each));
    const outcome = await outcomeOf(put(scene.bare, handle, data), story);
    const isStruck = scene.proxy.struck.length > 0;
    const isThere = await scene.isWholeOrAbsent(handle, data, story);
    if ("result" in outcome) expect(isThere, story).toBe(true);
    else expect(outcome, story).toMatchObject(mayEnd);
    scene.proxy.follow(() => undefined);
    await put(scene.steady, handle, data);
    await scene.assertStored(handle, data, story);
    return isStruck;
  }
  async function playAll(
    casesOf: (requests: readonly SeenRequest[]) => readonly Case[],
    mayEnd: object,
  ): Promise<void> {
    const scene = at();
    let struck = 0;
    for (const bytes of sizes) {
      const { handle, data } = scene.content(bytes);
      const requests = await scene.requestsOf(() => put(scene.bare, handle, data));
      for (const each of sampleOf(casesOf(requests), bytes))
        if (await play(each, bytes, mayEnd)) struck += 1;
    }
    expect(struck).toBeGreaterThanOrEqual(sizes.length);
  }
  it("stores whole or not at all when a connection is cut anywhere in an upload", async () => {
    await playAll(cutsUp, unavailable);
    expect(await at().leftovers()).toBe(0);
  });
  it("takes a file as stored whose answer was lost", async () => {
    await playAll(
      (requests) => requests.map(({ index }) => ({ index, fault: { kind: "swallow" } })),
      unavailable,
    );
  });
  it("stores no byte that was turned on the way", async () => {
    await playAll(
      (requests) =>
        requests
          .filter(({ bytesUp }) => bytesUp >= 10_000)
          .flatMap(({ index, bytesUp }) =>
            [0.1, 0.5, 0.9].map((share) => ({
              index,
              fault: { kind: "flip", way: "up", atByte: Math.floor(bytesUp * share) },
            })),
          ),
      traits.refusesVaguely === true ? {} : unavailable,
    );
  });
}

function describeOverwriting(at: At, { noOwnObjects }: FaultTraits): void {
  it("overwrites nothing, whatever is lost on the way", async () => {
    const scene = at();
    const handle: Handle =
      noOwnObjects === true ? { type: "config", name: "" } : { type: "backstay", name: "one.json" };
    const [first, second] = [Buffer.from("the first"), Buffer.from("the second one")];
    await scene.direct.save(handle, first, never);
    const save = (): Promise<unknown> =>
      scene.bare.save(handle, second, never).catch(() => undefined);
    const requests = await scene.requestsOf(save);
    for (const { index, bytesUp } of requests)
      for (const fault of [
        { kind: "swallow" },
        { kind: "cut", way: "up", atByte: bytesUp },
        { kind: "cut", way: "down", atByte: 0 },
        { kind: "refuse", status: 503 },
      ] as const) {
        const story = JSON.stringify({ index, fault });
        scene.proxy.follow(planOf({ index, fault }));
        const outcome = await outcomeOf(scene.steady.save(handle, second, never), story);
        expect(outcome, story).toMatchObject({ code: "STORE_EXISTS" });
        expectBytes(await scene.direct.load(handle, undefined, never), first, story);
      }
  });
}

function describeDownloads(at: At, { checksLoads }: FaultTraits): void {
  const bytes = 300_000;
  const range: ByteRange = { offset: 12_345, length: 200_001 };
  /** Loads the file, or the range, while `fault` strikes the first request. */
  async function play(asked: ByteRange | undefined, faults: readonly Fault[]): Promise<void> {
    const scene = at();
    const { handle, data } = scene.content(bytes);
    await scene.direct.save(handle, data, never);
    const wanted =
      asked === undefined ? data : data.subarray(asked.offset, asked.offset + asked.length);
    for (const fault of faults) {
      const story = `load of ${JSON.stringify(asked)}, ${JSON.stringify(fault)}`;
      scene.proxy.follow(strikeAt(1, fault));
      const outcome = await outcomeOf(scene.bare.load(handle, asked, never), story);
      scene.proxy.assertStruck();
      if ("result" in outcome) expectBytes(outcome.result, wanted, story);
      else expect(outcome, story).toEqual(unavailable);
      scene.proxy.follow(strikeAt(1, fault));
      expectBytes(await scene.steady.load(handle, asked, never), wanted, story);
    }
  }
  const broken = (length: number): readonly Fault[] => [
    ...[0, 1, length >> 1, length - 1].map(
      (atByte): Fault => ({ kind: "cut", way: "down", atByte }),
    ),
    { kind: "lie", deltaBytes: 3 },
    { kind: "lie", deltaBytes: -3 },
    { kind: "refuse", status: 500 },
    { kind: "slow", way: "down", bytesPerSecond: 4_000_000 },
  ];
  it("loads a range whole and right, or says that it can't", async () => {
    const short: Fault = { kind: "shorten", toBytes: range.length - 1 };
    await play(range, [...broken(range.length), short, { kind: "shorten", toBytes: 0 }]);
  });
  it("loads a whole file that is cut, or of another length than it says", async () => {
    // A shorter body with a length that fits it can only be told from the whole one by a checksum.
    const lies = broken(bytes).filter(({ kind }) => checksLoads === true || kind !== "lie");
    await play(undefined, [...lies, { kind: "lie", deltaBytes: 3 }]);
  });
  if (checksLoads === true)
    it("finds what was falsified on the way", async () => {
      const flips = [0, bytes >> 1, bytes - 1].map(
        (atByte): Fault => ({ kind: "flip", way: "down", atByte }),
      );
      await play(undefined, [...flips, { kind: "shorten", toBytes: bytes - 1 }]);
    });
}

function describeLists(at: At): void {
  it("lists everything or fails, and tells size and absence rightly", async () => {
    const scene = at();
    const files = Array.from({ length: 30 }, () => scene.content(40));
    await Promise.all(files.map(({ handle, data }) => scene.direct.save(handle, data, never)));
    const names = files.map(({ handle }) => handle.name).sort();
    const [{ handle: present }] = files;
    const absent = scene.content(1).handle;
    const requests = await scene.requestsOf(() => listed(scene.bare));
    const length = requests[0]?.bytesDown ?? 0;
    const faults: Fault[] = [
      ...[0, 1, length >> 1, length - 1].map(
        (atByte): Fault => ({ kind: "cut", way: "down", atByte }),
      ),
      { kind: "shorten", toBytes: length >> 1 },
      { kind: "swallow" },
      { kind: "refuse", status: 503 },
    ];
    for (const fault of faults) {
      const story = JSON.stringify(fault);
      scene.proxy.follow(strikeAt(1, fault));
      const outcome = await outcomeOf(listed(scene.bare), story);
      if ("result" in outcome) expect(outcome.result, story).toEqual(names);
      else expect(outcome, story).toEqual(unavailable);
      scene.proxy.follow(strikeAt(1, fault));
      expect(await listed(scene.steady), story).toEqual(names);
    }
    for (const fault of [{ kind: "swallow" }, { kind: "refuse", status: 503 }] as const) {
      scene.proxy.follow(strikeAt(1, fault));
      expect(await scene.steady.stat(present, never)).toBe(40);
      scene.proxy.follow(strikeAt(1, fault));
      expect(await scene.steady.stat(absent, never)).toBeUndefined();
    }
  });
}

function describeRefusals(at: At): void {
  /** Each call of the contract, made so that it changes nothing that another needs. */
  async function everyCall(store: ObjectStore, scene: RemoteStoreScene): Promise<void> {
    const { handle, data } = scene.content(5_000);
    await store.save(handle, data, never);
    expectBytes(await store.load(handle, undefined, never), data, "load");
    expect(await store.stat(handle, never)).toBe(data.length);
    expect(await listed(store)).toContain(handle.name);
    await store.remove({ type: "locks", name: handle.name }, never);
  }
  it.each([500, 502, 503, 504, 429, 408])("outlasts a storm of %i", async (status) => {
    const scene = at();
    const fault: Fault = { kind: "refuse", status };
    const random = seededRandom(status);
    scene.proxy.follow(() => (random() < 0.6 ? fault : undefined));
    await everyCall(scene.steady, scene);
    scene.proxy.assertStruck(3);
  });
  it("comes back when it is told to, and not before", async () => {
    const scene = at();
    const { handle, data } = scene.content(5_000);
    for (const status of [503, 429]) {
      scene.proxy.follow(strikeAt(1, { kind: "refuse", status, retryAfterSeconds: 70 }));
      const before = scene.clock.skippedMs;
      await scene.steady.save(handle, data, never);
      const waitedMs = scene.clock.skippedMs - before;
      expect(waitedMs).toBeGreaterThanOrEqual(70_000);
      expect(waitedMs).toBeLessThan(72_000);
    }
  });
  it("gives up in time when it does not pass", async () => {
    const scene = at();
    const { handle, data } = scene.content(5_000);
    const forGood = strikeAt(1, { kind: "refuse", status: 503 }, {}, Number.POSITIVE_INFINITY);
    scene.proxy.follow(forGood);
    const before = scene.clock.skippedMs;
    const outcome = await outcomeOf(scene.steady.save(handle, data, never), "no end");
    expect(outcome).toEqual(unavailable);
    expect(scene.clock.skippedMs - before).toBeLessThan(16 * 60_000);
    scene.proxy.calm();
    expect(await scene.isWholeOrAbsent(handle, data, "no end")).toBe(false);
  });
}

function describeStanding(at: At): void {
  it("gives up a request in which nothing moves, and asks again", async () => {
    const scene = at();
    const { handle, data } = scene.content(200_000);
    await scene.direct.save(handle, data, never);
    const impatient = scene.steadied(scene.open({ silenceMs: 300 }));
    scene.proxy.follow(strikeAt(1, { kind: "stall", way: "down", atByte: 100_000 }));
    expectBytes(await impatient.load(handle, undefined, never), data, "stalled download");
    scene.proxy.assertStruck();
    const other = scene.content(200_000);
    const stall: Fault = { kind: "stall", way: "up", atByte: 50_000 };
    scene.proxy.follow(strikeAt(1, stall, { bytesUpMin: 100_000 }));
    await impatient.save(other.handle, other.data, never);
    scene.proxy.assertStruck();
    await scene.assertStored(other.handle, other.data, "stalled upload");
  });
  it("ends at once when it is told to, also where nothing moves", async () => {
    const scene = at();
    const { handle, data } = scene.content(200_000);
    await scene.direct.save(handle, data, never);
    scene.proxy.follow(strikeAt(1, { kind: "stall", way: "down", atByte: 1000 }));
    const controller = new AbortController();
    const loading = scene.steady.load(handle, undefined, controller.signal);
    loading.catch(() => undefined);
    while (scene.proxy.struck.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const reason = new Error("the reason");
    controller.abort(reason);
    await expect(loading).rejects.toBe(reason);
  });
  it("counts what really goes over the line", async () => {
    const scene = at();
    const counts = new RequestCounts();
    const store = scene.open({ counts });
    const { handle, data } = scene.content(100_000);
    scene.proxy.follow(strikeAt(1, { kind: "refuse", status: 503 }, { bytesUpMin: 1 }));
    await scene.steadied(store).save(handle, data, never);
    await store.load(handle, undefined, never);
    await store.load(handle, { offset: 5, length: 1_000 }, never);
    expect(await listed(store)).toEqual([handle.name]);
    const { requests, bytesUp, bytesDown } = counts.sums;
    const { seen } = scene.proxy;
    const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
    expect(sum(Object.values(requests))).toBe(seen.length);
    expect(requests.put).toBeGreaterThanOrEqual(2);
    expect(requests.get).toBeGreaterThanOrEqual(2);
    expect(requests.list).toBeGreaterThanOrEqual(1);
    expect(bytesUp).toBe(sum(seen.map((each) => each.bytesUp)));
    expect(bytesDown).toBe(sum(seen.map((each) => each.bytesDown)));
  });
}

function describeBackup(at: At): void {
  it("takes a whole backup through a storm, and a check of all data finds nothing wrong", async () => {
    const scene = at();
    const backup = await BackupScene.create();
    try {
      backup.write("large", noiseOf(5 * 1024 * 1024, 1));
      for (let i = 0; i < 20; i += 1) backup.write(`d${i % 3}/f${i}`, `content ${i}`);
      const password = new TextEncoder().encode(scenePassword);
      const scrypt = { N: 16, r: 1, p: 1 };
      await Repository.init(scene.direct, { password, signal: never, scrypt });
      for (const seed of [1, 2]) {
        backup.write("changed", noiseOf(2 * 1024 * 1024, seed));
        scene.proxy.follow(storm(seed, 0.3));
        const { snapshot } = await backup.backup({ store: scene.steady });
        scene.proxy.assertStruck(2);
        scene.proxy.calm();
        const repository = await backup.open(scene.direct, true);
        await repository.loadIndex(never);
        const work = { readData: { kind: "all" }, lockWaitMs: 0, noLock: true } as const;
        const { problems } = await runCheck(repository, work, {}, never);
        expect(problems).toEqual([]);
        expect(await differences(repository, snapshot, backup.source)).toEqual([]);
      }
    } finally {
      backup.remove();
    }
  });
}

async function listed(store: ObjectStore): Promise<string[]> {
  return (await Array.fromAsync(store.list("data", never), ({ name }) => name)).sort();
}
