/**
 * Packs that lie in an archive, which can't be read before somebody has had them brought back: found by reading a byte of
 * some, before anything is restored. A few that are spread over all tell whether there may be any; if so, more are looked at.
 */
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import type { Repository } from "../../repository/repository.ts";
import { missingEntry, type RestorePlan, rowFlag } from "../plan/restore-plan.ts";

export interface ColdPacks {
  /** Hex ids of those found. */
  readonly cold: readonly string[];
  /** How many were looked at. */
  readonly looked: number;
  /** How many the restore needs, if nothing of it is there yet. */
  readonly needed: number;
}

const firstLooks = 16;
const looksMax = 1000;

/** Undefined if none was found. Rejects with the signal's reason only: what else goes wrong, the restore will meet. */
export async function findColdPacks(
  repository: Repository,
  plan: RestorePlan,
  signal: AbortSignal,
): Promise<ColdPacks | undefined> {
  const packs = packsOf(repository, plan);
  const some = spread(packs, firstLooks);
  const found = await coldOf(repository, some, signal);
  if (found.length === 0) return undefined;
  const more = spread(packs, looksMax);
  const cold = await coldOf(repository, more, signal);
  return { cold, looked: more.length, needed: packs.length };
}

/** Numbers of the packs that hold data of what is selected. */
function packsOf({ blobs }: Repository, plan: RestorePlan): number[] {
  const isNeeded = new Uint8Array(blobs.packCount);
  for (let ref = 0; ref < plan.refs; ref += 1) {
    const entry = plan.entryOf(ref);
    if (entry !== missingEntry && plan.hasFlag(plan.rowOf(ref), rowFlag.selected))
      isNeeded[blobs.packOf(entry)] = 1;
  }
  const packs: number[] = [];
  for (const [number, needed] of isNeeded.entries()) if (needed === 1) packs.push(number);
  return packs;
}

function spread(packs: readonly number[], most: number): number[] {
  if (packs.length <= most) return [...packs];
  return Array.from({ length: most }, (_, i) => packs[Math.floor((i * packs.length) / most)]);
}

/** Hex ids of those that can't be read. */
async function coldOf(
  { store, blobs }: Repository,
  packs: readonly number[],
  signal: AbortSignal,
): Promise<string[]> {
  const cold: string[] = [];
  const next = packs.values();
  const look = async (): Promise<void> => {
    for (const number of next) {
      const name = blobs.packId(number);
      try {
        await store.load({ type: "data", name }, { offset: 0, length: 1 }, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (isBackstayError(error, "STORE_ARCHIVED")) cold.push(name);
      }
    }
  };
  await Promise.all(Array.from({ length: store.capabilities.connections }, look));
  return cold.toSorted();
}
