/** Whether a repository takes part now: by what the server has told, or by what lies in its storage, whichever is newer. */
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import {
  numberOfStateObject,
  type ObeyedStand,
  stateObjectName,
  stateOf,
} from "../../protocol/control/repository-stand.ts";
import type { RepositoryStateDocument } from "../../protocol/control/repository-state.ts";
import type { RunOrder, StandOrder } from "../../protocol/run-order.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import type { EngineOutput } from "./engine-output.ts";

/**
 * Tells the control side which stand counts. REPOSITORY_MAINTENANCE and REPOSITORY_SEALED if it forbids the order's work.
 * That the storage says nothing, or nothing that can be read, changes nothing.
 */
export async function obeyStand(
  { repository: { stand: order }, work }: RunOrder,
  store: ObjectStore,
  output: EngineOutput,
  signal: AbortSignal,
): Promise<void> {
  if (order === undefined) return;
  const { known } = order;
  const stored = await storedStand(order, store, signal);
  const stand: ObeyedStand | undefined =
    stored ?? (known === undefined ? undefined : { ...known, source: "server" });
  if (stand === undefined) return;
  output.stand(stand);
  const state = stateOf(stand.modes);
  const context = { said: stand.source };
  if (state === "maintenance") throw new BackstayError("REPOSITORY_MAINTENANCE", context);
  if (state === "sealed" && work.kind === "backup")
    throw new BackstayError("REPOSITORY_SEALED", context);
}

/** The newest that is signed for this repository, if it is newer than what the server has told. */
async function storedStand(
  { tenantId, repositoryId, keys, known }: StandOrder,
  store: ObjectStore,
  signal: AbortSignal,
): Promise<ObeyedStand | undefined> {
  try {
    const numbers: number[] = [];
    for await (const { name } of store.list("backstay", signal)) {
      const number = numberOfStateObject(name);
      if (number !== undefined && number > (known?.number ?? 0)) numbers.push(number);
    }
    for (const number of numbers.toSorted((a, b) => b - a)) {
      const bytes = await store.load(
        { type: "backstay", name: stateObjectName(number) },
        undefined,
        signal,
      );
      const found = await read(new TextDecoder().decode(bytes), keys);
      if (
        found?.tenantId === tenantId &&
        found.repositoryId === repositoryId &&
        found.number === number
      )
        return { modes: found.modes, number, source: "storage" };
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!isBackstayError(error)) throw error;
  }
  return undefined;
}

/** Undefined for what nobody who may has signed. */
async function read(
  jws: string,
  keys: StandOrder["keys"],
): Promise<RepositoryStateDocument | undefined> {
  // Seldom needed, and what it takes is not small.
  const { repositoryStateDocument } = await import("../../protocol/control/repository-state.ts");
  const { verifyDocument } = await import("../../protocol/control/signed-document.ts");
  try {
    return verifyDocument<RepositoryStateDocument>(jws, {
      type: "repository-state",
      schema: repositoryStateDocument,
      keys,
    });
  } catch (error) {
    if (isBackstayError(error)) return undefined;
    throw error;
  }
}
