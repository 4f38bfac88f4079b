/**
 * What any store can be asked before somebody depends on it: whether it answers, and whether its account may list, write,
 * read and remove. Found out by really doing it, with an object of its own.
 */
import { createHash, randomBytes } from "node:crypto";
import { isBackstayError } from "../protocol/backstay-error.ts";
import { type Handle, handlePath, type ObjectStore } from "./object-store.ts";
import type { PlaceCheck, PlaceFinding } from "./place-finding.ts";

const objectBytes = 1024;

/** Whether the store answers. `bad` if not; an account that may not look is a matter of the checks that follow. */
export async function reachFinding(store: ObjectStore, signal: AbortSignal): Promise<PlaceFinding> {
  try {
    await store.stat({ type: "config", name: "" }, signal);
  } catch (error) {
    if (!isBackstayError(error, "STORE_DENIED")) return failed("reach", error, signal);
  }
  return { check: "reach", verdict: "good", found: `${store.location} answers.` };
}

/**
 * In this order: list, write, read, create-only, remove; ends after a bad `write`, since nothing is there to go on with.
 * Its object lies below `backstay/`, or is a lock where a store keeps no objects of ours.
 */
export async function* ownObjectFindings(
  store: ObjectStore,
  signal: AbortSignal,
): AsyncGenerator<PlaceFinding> {
  yield await listFinding(store, signal);
  const data = randomBytes(objectBytes);
  const written = await write(store, data, signal);
  yield written.finding;
  const { handle } = written;
  if (handle === undefined) return;
  try {
    yield await readFinding(store, handle, data, signal);
    yield await createOnlyFinding(store, handle, signal);
  } finally {
    // Also when nobody asks for more.
    written.removed = await removeFinding(store, handle, signal);
  }
  yield written.removed;
}

/** The finding about something that failed. Rejects with the signal's reason if that is why. */
export function failed(check: PlaceCheck, error: unknown, signal: AbortSignal): PlaceFinding {
  signal.throwIfAborted();
  if (!isBackstayError(error)) throw error;
  return { check, verdict: "bad", found: error.message, remedy: error.remedy };
}

async function listFinding(store: ObjectStore, signal: AbortSignal): Promise<PlaceFinding> {
  try {
    for await (const _first of store.list("snapshots", signal)) break;
  } catch (error) {
    return failed("list", error, signal);
  }
  return { check: "list", verdict: "good", found: "Objects can be listed." };
}

interface Written {
  readonly finding: PlaceFinding;
  /** Undefined: nothing could be written. */
  readonly handle: Handle | undefined;
  removed: PlaceFinding | undefined;
}

async function write(store: ObjectStore, data: Uint8Array, signal: AbortSignal): Promise<Written> {
  const hash = createHash("sha256").update(data).digest("hex");
  const own: Handle = { type: "backstay", name: `inspection-${hash.slice(0, 16)}` };
  // Servers that look at names take a lock under its hash, and let it be removed again.
  const lock: Handle = { type: "locks", name: hash };
  try {
    await store.save(own, data, signal).catch(async (error: unknown) => {
      if (store.capabilities.ownObjects || !isBackstayError(error, "STORE_DENIED")) throw error;
      await store.save(lock, data, signal);
    });
  } catch (error) {
    if (isBackstayError(error, "STORE_DENIED")) {
      signal.throwIfAborted();
      const finding: PlaceFinding = {
        check: "write",
        verdict: "bad",
        found:
          "This account may not write: backups would fail. What is stored can still be restored with it.",
        remedy:
          "Give the account the right to write objects in this place, or use it for restores only.",
      };
      return { finding, handle: undefined, removed: undefined };
    }
    return { finding: failed("write", error, signal), handle: undefined, removed: undefined };
  }
  const handle = store.capabilities.ownObjects ? own : lock;
  const finding: PlaceFinding = {
    check: "write",
    verdict: "good",
    found: `${handlePath(handle)} was written.`,
  };
  return { finding, handle, removed: undefined };
}

async function readFinding(
  store: ObjectStore,
  handle: Handle,
  data: Uint8Array,
  signal: AbortSignal,
): Promise<PlaceFinding> {
  try {
    const read = await store.load(handle, undefined, signal);
    if (Buffer.compare(read, data) !== 0)
      return {
        check: "read",
        verdict: "bad",
        found: "What was read is not what was written.",
        remedy:
          "Nothing may depend on this place before its storage, or what stands in between, is repaired.",
      };
    return { check: "read", verdict: "good", found: "What was written was read again." };
  } catch (error) {
    return failed("read", error, signal);
  }
}

async function createOnlyFinding(
  store: ObjectStore,
  handle: Handle,
  signal: AbortSignal,
): Promise<PlaceFinding> {
  const check = "create-only";
  try {
    await store.save(handle, randomBytes(objectBytes), signal);
  } catch (error) {
    const isByHash = isBackstayError(error, "STORE_DENIED") && handle.type === "locks";
    if (!isBackstayError(error, "STORE_EXISTS") && !isByHash) return failed(check, error, signal);
    if (store.capabilities.atomicCreate)
      return { check, verdict: "good", found: "A name that is taken is refused by the storage." };
    return {
      check,
      verdict: "warning",
      found: "The storage can't refuse a name that is taken: Backstay looks before it writes.",
      remedy:
        "Let no two programs write to one repository with the same account at the same moment.",
    };
  }
  return {
    check,
    verdict: "bad",
    found: "The storage replaced an object by another of the same name.",
    remedy: "Do not use this place: what one writer stores another could destroy.",
  };
}

async function removeFinding(
  store: ObjectStore,
  handle: Handle,
  signal: AbortSignal,
): Promise<PlaceFinding> {
  const check = "remove";
  try {
    await store.remove(handle, signal);
  } catch (error) {
    if (!isBackstayError(error, "STORE_DENIED")) return failed(check, error, signal);
    return {
      check,
      verdict: "good",
      found: `This account may not remove backups; pruning needs another one. ${handlePath(handle)} stays.`,
    };
  }
  return {
    check,
    verdict: "good",
    found:
      handle.type === "locks"
        ? "Locks can be removed."
        : "This account may remove objects, backups too: whoever has its keys can. Pruning needs that.",
  };
}
