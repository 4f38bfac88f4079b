/** The gateway's storage as it is for a process that is killed: from the n-th call on nothing happens any more. */
import type { GatewayObjects, GatewayPlace } from "../../server/gateway/gateway-objects.ts";
import type { ByteRange, FileType, Handle } from "../../storage/object-store.ts";

export class StoppingObjects implements GatewayObjects {
  /** Resolves at that call. */
  readonly stopped: Promise<string>;
  readonly #objects: GatewayObjects;
  readonly #at: number;
  readonly #released = Promise.withResolvers<never>();
  #calls = 0;
  #tell: (call: string) => void = () => undefined;

  /** `at`: 1 for the first call. */
  constructor(objects: GatewayObjects, at: number) {
    this.#objects = objects;
    this.#at = at;
    this.stopped = new Promise((resolve) => {
      this.#tell = resolve;
    });
    this.#released.promise.catch(() => undefined);
  }

  /** Ends what stands still, so that files are closed; to be called when nobody looks any more. */
  release(): void {
    this.#released.reject(new Error("the process was killed"));
  }

  async create(place: GatewayPlace): Promise<void> {
    await this.#step("create");
    await this.#objects.create(place);
  }

  async receive(
    place: GatewayPlace,
    handle: Handle,
    sizeBytes: number,
    source: AsyncIterable<Uint8Array>,
  ): Promise<"created" | "exists"> {
    await this.#step("receive");
    const outcome = await this.#objects.receive(place, handle, sizeBytes, this.#watched(source));
    await this.#step("received");
    return outcome;
  }

  async open(
    place: GatewayPlace,
    handle: Handle,
    range: ByteRange | undefined,
  ): ReturnType<GatewayObjects["open"]> {
    await this.#step("open");
    return await this.#objects.open(place, handle, range);
  }

  async stat(place: GatewayPlace, handle: Handle): Promise<number | undefined> {
    await this.#step("stat");
    return await this.#objects.stat(place, handle);
  }

  async settle(place: GatewayPlace, handle: Handle): Promise<void> {
    await this.#step("settle");
    await this.#objects.settle(place, handle);
  }

  list(
    place: GatewayPlace,
    type: FileType,
    signal: AbortSignal,
  ): ReturnType<GatewayObjects["list"]> {
    return this.#objects.list(place, type, signal);
  }

  async remove(place: GatewayPlace, handle: Handle): Promise<void> {
    await this.#step("remove");
    await this.#objects.remove(place, handle);
    await this.#step("removed");
  }

  async *#watched(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let isFirst = true;
    for await (const part of source) {
      yield part;
      // How many parts there are depends on the network.
      if (isFirst) await this.#step("first part");
      isFirst = false;
    }
    await this.#step("last part");
  }

  async #step(call: string): Promise<void> {
    this.#calls += 1;
    if (this.#calls < this.#at) return;
    this.#tell(call);
    await this.#released.promise;
  }
}
