/** Reads all snapshot files from the store. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { sha256 } from "../../repository/crypto/sealed-bytes.ts";
import { idToHex } from "../../repository/id.ts";
import { decodeSnapshot } from "../../repository/snapshot/snapshot-codec.ts";
import {
  assertStoredSize,
  decodeUnpacked,
  unpackedLimits,
} from "../../repository/unpacked-file.ts";
import type { CheckContext } from "../check-context.ts";
import { describeLoss, isGone } from "../report/lost-file.ts";

/** What a check must know of a snapshot. */
export interface CheckedSnapshot {
  /** Hex id of the file. */
  readonly id: string;
  /** Id of the root tree, 32 bytes. */
  readonly tree: Uint8Array;
  readonly seconds: number;
}

const fetchesMax = 8;
/** Larger files are read one at a time. */
const sharedBytesMax = 4 * 1024 * 1024;

/** All snapshots, newest first. Files that can't be read are reported as `snapshot-damaged`. */
export async function readSnapshots(context: CheckContext): Promise<CheckedSnapshot[]> {
  const names: { name: string; size: number }[] = [];
  for await (const file of context.store.list("snapshots", context.signal)) names.push(file);
  const snapshots: CheckedSnapshot[] = [];
  let done = 0;
  const read = async ({ name, size }: { name: string; size: number }): Promise<void> => {
    const snapshot = await readSnapshot(context, name, size);
    if (snapshot !== undefined) snapshots.push(snapshot);
    done += 1;
    const total = names.length;
    context.progress({ phase: "snapshots", done, total, bytesDone: 0, bytesTotal: 0 });
  };
  const small = names.filter(({ size }) => size <= sharedBytesMax);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < small.length) {
      next += 1;
      await read(small[next - 1]);
    }
  };
  await Promise.all(Array.from({ length: fetchesMax }, lane));
  for (const file of names) if (file.size > sharedBytesMax) await read(file);
  return snapshots.sort((a, b) => b.seconds - a.seconds || (a.id < b.id ? -1 : 1));
}

async function readSnapshot(
  context: CheckContext,
  name: string,
  size: number,
): Promise<CheckedSnapshot | undefined> {
  try {
    const { tree, time } = decodeSnapshot(await loadSnapshotFile(context, name, size));
    return { id: name, tree, seconds: time.seconds };
  } catch (error) {
    const detail = describeLoss(error);
    if (isGone(error) && !context.isLocked) return undefined;
    const problem = context.problems.add("snapshot-damaged", { type: "snapshot", id: name }, [
      detail,
    ]);
    problem?.addSnapshot(name);
    return undefined;
  }
}

async function loadSnapshotFile(
  { store, sealer, signal }: CheckContext,
  name: string,
  size: number,
): Promise<Uint8Array> {
  const file = `snapshots/${name}`;
  assertStoredSize(size, file, unpackedLimits.snapshots);
  const stored = await store.load({ type: "snapshots", name }, undefined, signal);
  if (idToHex(sha256(sealer.codec, stored)) !== name)
    throw new BackstayError("REPOSITORY_DAMAGED", {
      file,
      problem: "its content is not what its name says",
    });
  return decodeUnpacked(sealer, stored, file, unpackedLimits.snapshots);
}
