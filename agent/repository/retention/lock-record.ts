/**
 * Records of what is locked to the end of a generation, among Backstay's own objects of a repository: numbered, never
 * changed, each with all that the one before it names. They are sealed with the repository's key: who may only write to the
 * storage can't make a backup believe that something is locked. They save asking the storage for each object; a record that
 * is missing costs requests and no safety.
 */
import { type BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import { retentionModes } from "../../../protocol/immutability.ts";
import { JsonFields } from "../json/json-fields.ts";
import { parseJson } from "../json/parse-json.ts";
import type { Repository } from "../repository.ts";
import { decodeUnpacked, encodeUnpacked, unpackedLimits } from "../unpacked-file.ts";
import { endOfLocks, type LockGeneration } from "./lock-generation.ts";

type Place = Pick<Repository, "store" | "sealer" | "version">;

/** All of it is locked to the end of the generation. */
export interface LockRecord {
  /** `config`, `keys/…`, and `index/…` with every pack that it names. */
  readonly files: ReadonlySet<string>;
  /** Hex ids of restore points that need nothing else. */
  readonly snapshots: ReadonlySet<string>;
}

interface RecordName extends LockGeneration {
  /** From 1 on. */
  readonly serial: number;
}

const emptyRecord: LockRecord = { files: new Set(), snapshots: new Set() };
const namePattern = /^retention\.(\d{1,9})\.([a-z]+)\.(\d{1,5})\.(\d{1,15})$/;
/** Others may add one at the same moment. */
const attemptsMax = 10;

/** The newest of a generation; an empty one if there is none. Rejects as `ObjectStore.list` and `load`. */
export async function readLockRecord(
  place: Place,
  generation: LockGeneration,
  signal: AbortSignal,
): Promise<LockRecord> {
  return (await newest(place, await names(place, signal), generation, signal)).record;
}

/** Adds to the record of a generation. Rejects as `ObjectStore.save`, STORE_EXISTS if others never stop adding. */
export async function addToLockRecord(
  place: Place,
  generation: LockGeneration,
  added: { readonly files: Iterable<string>; readonly snapshots: Iterable<string> },
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const found = await newest(place, await names(place, signal), generation, signal);
    const name = nameOf({ ...generation, serial: found.serial + 1 });
    const record = {
      files: new Set([...found.record.files, ...added.files]),
      snapshots: new Set([...found.record.snapshots, ...added.snapshots]),
    };
    try {
      const stored = encodeUnpacked(place.sealer, encode(place, name, record), place.version);
      await place.store.save({ type: "backstay", name }, stored, signal);
      return;
    } catch (error) {
      if (attempt === attemptsMax || !isBackstayError(error, "STORE_EXISTS")) throw error;
    }
  }
}

/**
 * Until when restore points and all that they need are locked, by the records, ms since 1970 by hex id; only what is locked
 * at `nowMs`. One list, and one load for each generation that is still locked.
 */
export async function lockedSnapshots(
  place: Place,
  nowMs: number,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const locked = new Map<string, number>();
  if (place.store.retentionLocks === undefined) return locked;
  const all = await names(place, signal);
  const generations = new Map(all.map((name) => [nameOf({ ...name, serial: 0 }), name]));
  for (const generation of generations.values()) {
    const untilMs = endOfLocks(generation);
    if (untilMs <= nowMs) continue;
    const { record } = await newest(place, all, generation, signal);
    for (const id of record.snapshots) locked.set(id, Math.max(untilMs, locked.get(id) ?? 0));
  }
  return locked;
}

async function names({ store }: Place, signal: AbortSignal): Promise<RecordName[]> {
  const found: RecordName[] = [];
  for await (const { name } of store.list("backstay", signal)) {
    const [, number, word, days, serial] = namePattern.exec(name) ?? [];
    const mode = retentionModes.find((each) => each === word);
    if (mode !== undefined)
      found.push({ number: Number(number), mode, days: Number(days), serial: Number(serial) });
  }
  return found;
}

/** The newest that can be read, and the highest serial of all. */
async function newest(
  place: Place,
  all: readonly RecordName[],
  { number, mode, days }: LockGeneration,
  signal: AbortSignal,
): Promise<{ readonly record: LockRecord; readonly serial: number }> {
  const ofGeneration = all
    .filter((name) => name.number === number && name.mode === mode && name.days === days)
    .toSorted((a, b) => b.serial - a.serial);
  const serial = ofGeneration[0]?.serial ?? 0;
  for (const each of ofGeneration) {
    const record = await read(place, nameOf(each), signal);
    if (record !== undefined) return { record, serial };
  }
  return { record: emptyRecord, serial };
}

function nameOf({ number, mode, days, serial }: RecordName): string {
  return `retention.${number}.${mode}.${days}.${serial}`;
}

/** Of a copy of a repository in another place, the records are of no worth: so a record names its place, and itself. */
function encode({ store }: Place, name: string, { files, snapshots }: LockRecord): Uint8Array {
  const json = { name, place: store.location, files: [...files], snapshots: [...snapshots] };
  return new TextEncoder().encode(JSON.stringify(json));
}

/** Undefined for what is none, or is of another place. */
async function read(
  { store, sealer }: Place,
  name: string,
  signal: AbortSignal,
): Promise<LockRecord | undefined> {
  const file = `backstay/${name}`;
  try {
    const stored = await store.load({ type: "backstay", name }, undefined, signal);
    const maximumBytes = unpackedLimits.index.plainBytesMax;
    const json = parseJson(decodeUnpacked(sealer, stored, file), { file, maximumBytes });
    const fields = new JsonFields(json, file);
    if (fields.string("name") !== name || fields.string("place") !== store.location)
      return undefined;
    return {
      files: new Set(fields.strings("files")),
      snapshots: new Set(fields.strings("snapshots")),
    };
  } catch (error) {
    if (!isForgery(error)) throw error;
    return undefined;
  }
}

function isForgery(error: unknown): error is BackstayError {
  return isBackstayError(error, "REPOSITORY_DAMAGED") || isBackstayError(error, "STORE_NOT_FOUND");
}
