/**
 * The files of the gateway in an object storage: `<tenant>/<repository>/<machine>/` below the place of the store, in
 * restic's default layout each. The storage itself makes an object visible whole or not at all, and refuses a name that is
 * taken; replicas may share it.
 */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type {
  ByteRange,
  FileType,
  Handle,
  ObjectStore,
  StoredFile,
  StreamedObject,
  StreamedObjects,
} from "../../storage/object-store.ts";
import { requireRetentionLocks } from "../../storage/required-locks.ts";
import type { RetentionRule } from "../../storage/retention-lock.ts";
import type { GatewayLocks, GatewayObjects, GatewayPlace } from "./gateway-objects.ts";
import { isPlainId } from "./gateway-path.ts";

const never = new AbortController().signal;

export class StoreObjects implements GatewayObjects {
  readonly locks: GatewayLocks = {
    lockedUntil: async (place, handle) =>
      await requireRetentionLocks(this.#at(place)).lockedUntil(handle, never),
    extend: async (place, handle, { mode, untilMs }) => {
      // The days are of new objects.
      const locks = requireRetentionLocks(this.#at(place, { mode, days: 1 }));
      await locks.extend(handle, untilMs, never);
    },
  };
  readonly #store: ObjectStore;

  /** STORE_UNSUPPORTED if objects can't pass through the store. Whoever made it closes it. */
  constructor(store: ObjectStore) {
    requireStreamed(store);
    this.#store = store;
  }

  async create(place: GatewayPlace): Promise<void> {
    await this.#at(place).create(never);
  }

  async receive(
    place: GatewayPlace,
    handle: Handle,
    sizeBytes: number,
    source: AsyncIterable<Uint8Array>,
    retention?: RetentionRule,
  ): Promise<"created" | "exists"> {
    const streamed = requireStreamed(this.#at(place, retention));
    return await streamed.receive(handle, sizeBytes, source, never);
  }

  async open(
    place: GatewayPlace,
    handle: Handle,
    range: ByteRange | undefined,
  ): Promise<StreamedObject | undefined> {
    const opened = await requireStreamed(this.#at(place)).open(handle, range, never);
    // Whoever reads hears of it all the same; whoever has stopped to read must not end the server.
    opened?.body.on("error", () => undefined);
    return opened;
  }

  async stat(place: GatewayPlace, handle: Handle): Promise<number | undefined> {
    return await this.#at(place).stat(handle, never);
  }

  /** What an object storage shows is durable. */
  async settle(): Promise<void> {}

  list(place: GatewayPlace, type: FileType, signal: AbortSignal): AsyncIterable<StoredFile> {
    return this.#at(place).list(type, signal);
  }

  async remove(place: GatewayPlace, handle: Handle): Promise<void> {
    await this.#at(place).remove(handle, never);
  }

  #at({ tenantId, repositoryId, agentId }: GatewayPlace, retention?: RetentionRule): ObjectStore {
    const ids = [tenantId, repositoryId, agentId];
    const place = ids.every(isPlainId) ? this.#store.below?.(ids.join("/"), retention) : undefined;
    if (place === undefined)
      throw new BackstayError("INTERNAL", { problem: "not a place of a machine" });
    return place;
  }
}

function requireStreamed(store: ObjectStore): StreamedObjects {
  if (store.streamed !== undefined) return store.streamed;
  throw new BackstayError("STORE_UNSUPPORTED", {
    kind: store.location.split(":")[0],
    problem: "objects can't pass through it, so no gateway can keep files in it",
  });
}
