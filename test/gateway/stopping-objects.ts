/** The gateway's storage as it is for a process that is killed: from the n-th call on nothing happens any more. */
import type {
  GatewayObjects,
  GatewayPlace,
  IncomingFile,
} from "../../server/gateway/gateway-objects.ts";
import type { FileType, Handle } from "../../storage/object-store.ts";

export class StoppingObjects implements GatewayObjects {
  /** Resolves at that call. */
  readonly stopped: Promise<string>;
  readonly #objects: GatewayObjects;
  readonly #at: number;
  readonly #received: IncomingFile[] = [];
  #calls = 0;
  #tell: (call: string) => void = () => undefined;

  /** `at`: 1 for the first call. */
  constructor(objects: GatewayObjects, at: number) {
    this.#objects = objects;
    this.#at = at;
    this.stopped = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  /** Closes files, as the system does for a killed process; to be called when nobody looks any more. */
  async release(): Promise<void> {
    for (const file of this.#received) await file.discard();
  }

  async create(place: GatewayPlace): Promise<void> {
    await this.#step("create");
    await this.#objects.create(place);
  }

  async receive(place: GatewayPlace, handle: Handle, sizeBytes: number): Promise<IncomingFile> {
    await this.#step("receive");
    const file = await this.#objects.receive(place, handle, sizeBytes);
    this.#received.push(file);
    let isFirst = true;
    return {
      write: async (part) => {
        // How many parts there are depends on the network.
        if (isFirst) await this.#step("write");
        isFirst = false;
        await file.write(part);
      },
      publish: async () => {
        await this.#step("publish");
        return await file.publish();
      },
      discard: async () => {
        await this.#step("discard");
        await file.discard();
      },
    };
  }

  async open(place: GatewayPlace, handle: Handle): ReturnType<GatewayObjects["open"]> {
    await this.#step("open");
    return await this.#objects.open(place, handle);
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

  async remove(place: GatewayPlace, handle: Handle): Promise<number | undefined> {
    await this.#step("remove");
    const freed = await this.#objects.remove(place, handle);
    await this.#step("removed");
    return freed;
  }

  async count(place: GatewayPlace, signal: AbortSignal): ReturnType<GatewayObjects["count"]> {
    await this.#step("count");
    return await this.#objects.count(place, signal);
  }

  async noteChanging(place: GatewayPlace): Promise<void> {
    await this.#step("noteChanging");
    await this.#objects.noteChanging(place);
  }

  async noteSettled(place: GatewayPlace): Promise<void> {
    await this.#step("noteSettled");
    await this.#objects.noteSettled(place);
  }

  async unsettled(): Promise<readonly GatewayPlace[]> {
    await this.#step("unsettled");
    return await this.#objects.unsettled();
  }

  async #step(call: string): Promise<void> {
    this.#calls += 1;
    if (this.#calls < this.#at) return;
    this.#tell(call);
    await new Promise<never>(() => undefined);
  }
}
