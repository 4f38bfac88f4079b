/** Lists the snapshots of a repository and finds the ones that people mean by ids, prefixes and `latest`. */
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import { isHexId } from "../id.ts";
import type { Repository } from "../repository.ts";
import type { Snapshot } from "./snapshot.ts";
import { decodeSnapshot } from "./snapshot-codec.ts";

/** A snapshot and the hex id of its file. */
export interface NamedSnapshot {
  readonly id: string;
  readonly snapshot: Snapshot;
}

/** Which snapshots to consider; an empty list asks for nothing. */
export interface SnapshotFilter {
  /** The snapshot's host is one of these. */
  readonly hosts: readonly string[];
  /** The snapshot has all tags of one of these lists; the list `[""]` means: no tags at all. */
  readonly tagLists: readonly (readonly string[])[];
  /** The snapshot has all these absolute paths. */
  readonly paths: readonly string[];
}

export const everySnapshot: SnapshotFilter = { hosts: [], tagLists: [], paths: [] };

export interface ListOptions {
  readonly filter?: SnapshotFilter;
  /** Told of snapshot files that can't be read; without it the first one rejects the list. */
  readonly damaged?: (id: string, error: BackstayError) => void;
}

/** How many digits of an id people are shown. */
export const shortIdLength = 8;

const latestForm = /^latest(?:~(\d{1,9}))?$/;
const prefixForm = /^[0-9a-f]{1,64}$/;

export function matchesFilter(snapshot: Snapshot, filter: SnapshotFilter): boolean {
  const { hosts, tagLists, paths } = filter;
  if (hosts.length > 0 && !hosts.includes(snapshot.hostname)) return false;
  const hasAll = (tags: readonly string[]): boolean =>
    tags.every((tag) => snapshot.tags.includes(tag) || (tag === "" && snapshot.tags.length === 0));
  if (tagLists.length > 0 && !tagLists.some(hasAll)) return false;
  return paths.every((path) => snapshot.paths.includes(path));
}

/**
 * The snapshots that match, oldest first, those of one instant by id. A file that vanishes meanwhile is left
 * out. Rejects as `ObjectStore.list` does.
 */
export async function listSnapshots(
  repository: Repository,
  signal: AbortSignal,
  options: ListOptions = {},
): Promise<NamedSnapshot[]> {
  const ids = await listIds(repository, signal);
  const found: NamedSnapshot[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < ids.length) {
      const id = ids[next];
      next += 1;
      const snapshot = await tryLoad(repository, id, options.damaged, signal);
      if (snapshot !== undefined) found.push({ id, snapshot });
    }
  };
  const workers = Math.min(ids.length, 2 * repository.store.capabilities.connections);
  await Promise.all(Array.from({ length: workers }, worker));
  const filter = options.filter ?? everySnapshot;
  return found.filter(({ snapshot }) => matchesFilter(snapshot, filter)).sort(byTime);
}

/**
 * The snapshot that `name` means: an id, the first digits of one, `latest`, or `latest~N` for the Nth before it.
 * The filter narrows `latest` only. SNAPSHOT_NOT_FOUND or SNAPSHOT_AMBIGUOUS if not exactly one does.
 */
export async function findSnapshot(
  repository: Repository,
  name: string,
  signal: AbortSignal,
  options: ListOptions = {},
): Promise<NamedSnapshot> {
  const latest = latestForm.exec(name);
  if (latest !== null) {
    const back = Number(latest[1] ?? 0);
    const found = (await listSnapshots(repository, signal, options)).at(-1 - back);
    if (found === undefined) throw notFound(name, options.filter);
    return found;
  }
  const id = isHexId(name) ? name : await completeId(repository, name, signal);
  try {
    return { id, snapshot: await load(repository, id, signal) };
  } catch (error) {
    if (isBackstayError(error, "STORE_NOT_FOUND")) throw notFound(name);
    throw error;
  }
}

/**
 * The snapshots of a command line: those named, each once and in the order given, or without names all that
 * match the filter, oldest first. Rejects as `findSnapshot`.
 */
export async function findSnapshots(
  repository: Repository,
  names: readonly string[],
  signal: AbortSignal,
  options: ListOptions = {},
): Promise<NamedSnapshot[]> {
  if (names.length === 0) return await listSnapshots(repository, signal, options);
  const found = new Map<string, NamedSnapshot>();
  for (const name of names) {
    const snapshot = await findSnapshot(repository, name, signal, options);
    found.set(snapshot.id, snapshot);
  }
  return [...found.values()];
}

/** The two halves of `SNAPSHOT:PATH`; the path is empty if there is none. */
export function splitSnapshotPath(text: string): { readonly name: string; readonly path: string } {
  const colon = text.indexOf(":");
  return colon < 0
    ? { name: text, path: "" }
    : { name: text.slice(0, colon), path: text.slice(colon + 1) };
}

async function listIds(repository: Repository, signal: AbortSignal): Promise<string[]> {
  const ids: string[] = [];
  for await (const { name } of repository.store.list("snapshots", signal)) ids.push(name);
  await repository.cache?.keepOnly("snapshots", new Set(ids));
  return ids;
}

async function completeId(
  repository: Repository,
  prefix: string,
  signal: AbortSignal,
): Promise<string> {
  if (!prefixForm.test(prefix)) throw notFound(prefix);
  const ids = (await listIds(repository, signal)).filter((id) => id.startsWith(prefix));
  const [id] = ids;
  if (id === undefined) throw notFound(prefix);
  if (ids.length > 1)
    throw new BackstayError("SNAPSHOT_AMBIGUOUS", { snapshot: prefix, matching: ids.length });
  return id;
}

async function load(repository: Repository, id: string, signal: AbortSignal): Promise<Snapshot> {
  return decodeSnapshot(await repository.loadUnpacked("snapshots", id, signal));
}

async function tryLoad(
  repository: Repository,
  id: string,
  damaged: ListOptions["damaged"],
  signal: AbortSignal,
): Promise<Snapshot | undefined> {
  try {
    return await load(repository, id, signal);
  } catch (error) {
    if (isBackstayError(error, "STORE_NOT_FOUND")) return undefined;
    if (damaged === undefined || !isBackstayError(error, "REPOSITORY_DAMAGED")) throw error;
    damaged(id, error);
    return undefined;
  }
}

function notFound(name: string, filter: SnapshotFilter = everySnapshot): BackstayError {
  return new BackstayError("SNAPSHOT_NOT_FOUND", {
    snapshot: name,
    ...(filter.hosts.length > 0 ? { hosts: filter.hosts.join(", ") } : {}),
    ...(filter.tagLists.length > 0 ? { tags: filter.tagLists.join("; ") } : {}),
    ...(filter.paths.length > 0 ? { paths: filter.paths.join(", ") } : {}),
  });
}

function byTime(a: NamedSnapshot, b: NamedSnapshot): number {
  const [first, second] = [a.snapshot.time, b.snapshot.time];
  return (
    first.seconds - second.seconds ||
    first.nanoseconds - second.nanoseconds ||
    (a.id < b.id ? -1 : 1)
  );
}
