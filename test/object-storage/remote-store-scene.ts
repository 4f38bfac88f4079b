/** A remote store behind a fault proxy, beside a second one that goes straight to the same place and tells the truth. */
import { createHash } from "node:crypto";
import { expect } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { LimitedStore } from "../../storage/limit/limited-store.ts";
import type { Handle, ObjectStore } from "../../storage/object-store.ts";
import type { RequestCounts } from "../../storage/request-counts.ts";
import { RetryStore } from "../../storage/retry/retry-store.ts";
import { noiseOf } from "../backup/noise.ts";
import { FaultProxy, type SeenRequest } from "./fault-proxy.ts";
import { HurriedClock } from "./hurried-clock.ts";

export interface RemoteStoreOptions {
  /** So long nothing may move before the store gives a request up, ms. */
  readonly silenceMs?: number;
  readonly counts?: RequestCounts;
}

/** One new place at a real server. */
export interface RemoteStorePlace {
  /** `http://host:port` of the server. */
  readonly upstream: string;
  /** A store over that place, for which the server is at `origin`. */
  open(origin: string, options: RemoteStoreOptions): ObjectStore;
  /** How many unfinished uploads the server keeps for the place, if it can tell. */
  leftovers?(): Promise<number>;
}

const never = new AbortController().signal;
/** No request to a server on loopback is silent for so long, on the busiest machine. */
const silenceMs = 20_000;

export class RemoteStoreScene {
  readonly proxy: FaultProxy;
  readonly clock = new HurriedClock();
  /** Through the proxy, as an adapter is. */
  readonly bare: ObjectStore;
  /** Through the proxy, with limits and retries as sessions have them. */
  readonly steady: ObjectStore;
  /** Past the proxy. */
  readonly direct: ObjectStore;
  readonly #place: RemoteStorePlace;
  readonly #opened: ObjectStore[] = [];
  #contents = 0;

  private constructor(proxy: FaultProxy, place: RemoteStorePlace) {
    this.proxy = proxy;
    this.#place = place;
    this.bare = this.open();
    this.steady = this.steadied(this.bare);
    this.direct = place.open(place.upstream, { silenceMs });
    this.#opened.push(this.direct);
  }

  /** The place is made ready. */
  static async begin(place: RemoteStorePlace): Promise<RemoteStoreScene> {
    const scene = new RemoteStoreScene(await FaultProxy.start(place.upstream), place);
    await scene.direct.create(never);
    return scene;
  }

  async end(): Promise<void> {
    await this.proxy.stop();
    for (const store of this.#opened) await store.close();
  }

  /** Another store through the proxy. */
  open(options: RemoteStoreOptions = {}): ObjectStore {
    const store = this.#place.open(this.proxy.url, { silenceMs, ...options });
    this.#opened.push(store);
    return store;
  }

  steadied(store: ObjectStore): ObjectStore {
    const { clock } = this;
    return new RetryStore(new LimitedStore(store, { clock }), { clock, random: seededRandom(1) });
  }

  /** Content that no other call gives, and the name of a pack for it. */
  content(bytes: number): { readonly handle: Handle; readonly data: Uint8Array } {
    this.#contents += 1;
    const data = noiseOf(bytes, this.#contents);
    const name = createHash("sha256").update(data).digest("hex");
    return { handle: { type: "data", name }, data };
  }

  /** The requests of a call when nothing goes wrong. */
  async requestsOf(work: () => Promise<unknown>): Promise<readonly SeenRequest[]> {
    this.proxy.follow(() => undefined);
    await work();
    return [...this.proxy.seen];
  }

  async leftovers(): Promise<number> {
    return (await this.#place.leftovers?.()) ?? 0;
  }

  /** Throws unless the file is there with exactly these bytes. */
  async assertStored(handle: Handle, data: Uint8Array, story: string): Promise<void> {
    expect(await this.direct.stat(handle, never), story).toBe(data.length);
    expectBytes(await this.direct.load(handle, undefined, never), data, story);
  }

  /** Throws if the file is there and is not exactly these bytes, also in the list; says whether it is there. */
  async isWholeOrAbsent(handle: Handle, data: Uint8Array, story: string): Promise<boolean> {
    for (;;) {
      const size = await this.direct.stat(handle, never);
      const files = await Array.fromAsync(this.direct.list(handle.type, never));
      const listed = files.filter(({ name }) => name === handle.name);
      // A server that has everything may go on with it after the connection is gone: it comes into being between the two.
      if (size === undefined && listed.length > 0) continue;
      expect(listed, story).toEqual(size === undefined ? [] : [{ name: handle.name, size }]);
      if (size !== undefined) await this.assertStored(handle, data, story);
      return size !== undefined;
    }
  }
}

/** What became of a call: its result, or the error of the catalogue that it must have failed with. */
export async function outcomeOf<T>(
  work: Promise<T>,
  story: string,
): Promise<{ readonly result: T } | { readonly code: string; readonly kind: string }> {
  try {
    return { result: await work };
  } catch (error) {
    if (!isBackstayError(error)) throw new Error(`${story}: no error of ours`, { cause: error });
    expect(error.code, story).toMatch(/^STORE_/);
    return { code: error.code, kind: error.kind };
  }
}

/** Compares as bytes: vitest's own comparison of megabytes takes seconds. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array, story: string): void {
  if (Buffer.compare(actual, expected) === 0) return;
  const at = expected.findIndex((byte, i) => byte !== actual[i]);
  expect.fail(`${story}: ${actual.length} of ${expected.length} bytes, the first wrong at ${at}`);
}
