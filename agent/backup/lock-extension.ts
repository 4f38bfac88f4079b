/**
 * Locks everything that a new restore point shares with older ones for as long as itself: what the index names, index
 * files, keys, and the configuration. What the session has stored is locked already, as it was stored.
 */

import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { Immutability } from "../../protocol/immutability.ts";
import { type Handle, handlePath, type RetentionLocks } from "../../storage/object-store.ts";
import { requireRetentionLocks } from "../../storage/required-locks.ts";
import { idToHex } from "../repository/id.ts";
import { fetchIndexFile } from "../repository/index/index-loader.ts";
import { IndexScanner } from "../repository/index/index-scanner.ts";
import type { Repository } from "../repository/repository.ts";
import { endOfLocks, generationAt } from "../repository/retention/lock-generation.ts";
import { addToLockRecord, readLockRecord } from "../repository/retention/lock-record.ts";
import type { BackupWarning } from "./backup-request.ts";

/** What a session has stored, and what it found. */
export interface NewSnapshot {
  readonly repository: Repository;
  readonly immutability: Immutability;
  /** When the session began: everything that it stored was stored later. */
  readonly startMs: number;
  /** Packs of the table before the session took any over: these are named by the index files that it found. */
  readonly packsFound: number;
  /** Packs of the table before the session stored its own. */
  readonly packsOlder: number;
  /** Hex ids of its own index files. */
  readonly indexFiles: readonly string[];
  /** Hex. */
  readonly id: string;
}

/**
 * Resolves with until when the restore point and all that it needs can't be removed, ms since 1970. Undefined if that can't
 * be had, which is told to `warn`: then some of it may be locked for long enough and some not, and the next session begins
 * again. Never rejects: the restore point is there.
 */
export async function lockSnapshot(
  snapshot: NewSnapshot,
  warn: (warning: BackupWarning) => void,
  signal: AbortSignal,
): Promise<number | undefined> {
  const tell = (problem: string): void =>
    warn({ item: `snapshots/${snapshot.id}`, code: "LOCKS_SHORT", message: problem });
  try {
    const { untilMs, missing } = await extendLocks(snapshot, signal);
    if (missing === 0) return untilMs;
    tell(`of what the index names, not there: ${missing}; run \`backstay check\``);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    tell(`not everything that the restore point needs could be locked for as long as it: ${why}`);
  }
  return undefined;
}

interface LockedSnapshot {
  readonly untilMs: number;
  /** Objects that the index names and that are not there. */
  readonly missing: number;
}

async function extendLocks(snapshot: NewSnapshot, signal: AbortSignal): Promise<LockedSnapshot> {
  const { repository, immutability, startMs, id, indexFiles } = snapshot;
  const locks = requireRetentionLocks(repository.store);
  const generation = generationAt(startMs, immutability);
  const untilMs = endOfLocks(generation);
  const { files } = await readLockRecord(repository, generation, signal);
  const due = await dueFiles(snapshot, files, signal);
  const handles = [...due, ...(await duePacks(snapshot, files.size === 0, due, signal))];
  const missing = await extendAll(repository, locks, handles, untilMs, signal);
  const own: Handle = { type: "snapshots", name: id };
  const ownUntilMs = (await locks.lockedUntil(own, signal)) ?? 0;
  if (ownUntilMs < untilMs)
    throw new BackstayError("STORE_DENIED", {
      file: handlePath(own),
      problem: "it was not locked for as long as it should be",
    });
  const mine = indexFiles.map((name) => handlePath({ type: "index", name }));
  // With something missing it is not all there, but what is there is locked: the next session need not do it again.
  const added = { files: [...due.map(handlePath), ...mine], snapshots: missing === 0 ? [id] : [] };
  await addToLockRecord(repository, generation, added, signal);
  return { untilMs, missing };
}

/** Index files, keys and configuration that no record of the generation names. */
async function dueFiles(
  { repository, indexFiles }: NewSnapshot,
  known: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Handle[]> {
  const own = new Set(indexFiles);
  const found: Handle[] = [{ type: "config", name: "" }];
  for await (const { name } of repository.store.list("keys", signal))
    found.push({ type: "keys", name });
  for (const name of repository.indexFiles) if (!own.has(name)) found.push({ type: "index", name });
  return found.filter((handle) => !known.has(handlePath(handle)));
}

/** The packs of index files that are due; at the first time in a generation these are all, and need not be read again. */
async function duePacks(
  { repository, packsFound, packsOlder }: NewSnapshot,
  isFirst: boolean,
  due: readonly Handle[],
  signal: AbortSignal,
): Promise<Handle[]> {
  const packs: Handle[] = [];
  for (let number = isFirst ? 0 : packsFound; number < packsOlder; number += 1)
    packs.push({ type: "data", name: repository.blobs.packId(number) });
  if (isFirst) return packs;
  for (const { type, name } of due) {
    if (type !== "index") continue;
    const json = await fetchIndexFile(repository, name, signal);
    if (json === undefined) continue;
    const scanner = new IndexScanner(json, `index/${name}`);
    while (scanner.nextPack()) packs.push({ type: "data", name: idToHex(scanner.packId) });
  }
  return packs;
}

/** As many at once as the store likes; stops at the first failure. Resolves with how many are not there. */
async function extendAll(
  { store }: Repository,
  locks: RetentionLocks,
  handles: readonly Handle[],
  untilMs: number,
  signal: AbortSignal,
): Promise<number> {
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  let missing = 0;
  const next = handles.values();
  const work = async (): Promise<void> => {
    for (const handle of next)
      try {
        until.throwIfAborted();
        await locks.extend(handle, untilMs, until);
      } catch (error) {
        if (isBackstayError(error, "STORE_NOT_FOUND")) missing += 1;
        else {
          stop.abort(error);
          throw error;
        }
      }
  };
  await Promise.all(Array.from({ length: store.capabilities.connections }, work));
  return missing;
}
