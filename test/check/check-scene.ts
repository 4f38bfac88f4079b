/** A small repository to damage, and what a check says about it. */

import type {
  CheckEvents,
  CheckFinding,
  CheckProblem,
  CheckProblemKind,
  CheckProgress,
  CheckResult,
} from "../../agent/check/report/check-report.ts";
import { type CheckOptions, runCheck } from "../../agent/check/run-check.ts";
import { fetchIndexFile } from "../../agent/repository/index/index-loader.ts";
import type { Repository } from "../../agent/repository/repository.ts";
import { snapshotTime } from "../../agent/repository/snapshot/snapshot.ts";
import { encodeSnapshot } from "../../agent/repository/snapshot/snapshot-codec.ts";
import { encodeUnpacked } from "../../agent/repository/unpacked-file.ts";
import type { FileType, ObjectStore } from "../../storage/object-store.ts";
import { type CraftedPack, hashOf, hexOf } from "../repository/crafted-packs.ts";

const never = new AbortController().signal;

/** What a check said, and told on the way. */
export interface Checked extends CheckResult {
  readonly findings: readonly CheckFinding[];
  readonly progress: readonly CheckProgress[];
  /** Problems as `kind object-type` with the first digits of the id, sorted. */
  readonly lines: readonly string[];
}

/** An index file as it is in JSON. */
export interface IndexJson {
  packs: { id: string; blobs: BlobJson[] }[];
}

export interface BlobJson {
  id: string;
  type: string;
  offset: number;
  length: number;
  uncompressed_length?: number;
}

/** Checks with all data and without a lock unless told otherwise. */
export async function check(
  repository: Repository,
  options: Partial<CheckOptions> = {},
  events: CheckEvents = {},
  signal: AbortSignal = never,
): Promise<Checked> {
  const findings: CheckFinding[] = [];
  const told: CheckProblem[] = [];
  const progress: CheckProgress[] = [];
  const result = await runCheck(
    repository,
    { readData: { kind: "all" }, lockWaitMs: 0, noLock: true, ...options },
    {
      found: (finding) => findings.push(finding),
      problem: (problem) => told.push(problem),
      progress: (step) => progress.push(step),
      ...events,
    },
    signal,
  );
  if (events.problem === undefined && told.length !== result.problems.length)
    throw new Error("not every problem was told");
  const lines = result.problems
    .map(({ kind, object }) => `${kind} ${object.type} ${object.id.slice(0, 8)}`)
    .toSorted();
  return { ...result, findings, progress, lines };
}

/** The only problem of that kind. */
export function problemOf(checked: CheckResult, kind: CheckProblemKind): CheckProblem {
  const found = checked.problems.filter((problem) => problem.kind === kind);
  if (found.length !== 1)
    throw new Error(`${found.length} of ${kind}: ${JSON.stringify(checked.problems)}`);
  return found[0];
}

/** The paths that a problem hurts, as text, sorted. */
export function pathsOf({ harm }: CheckProblem): string[] {
  return harm.paths.map(({ path }) => Buffer.from(path).toString()).toSorted();
}

/** Names of all files of a type. */
export async function namesOf(store: ObjectStore, type: FileType): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list(type, never)) names.push(name);
  return names.toSorted();
}

export async function bytesOf(
  store: ObjectStore,
  type: FileType,
  name: string,
): Promise<Uint8Array> {
  return await store.load({ type, name }, undefined, never);
}

/** Puts other bytes in the place of a file, under its name. */
export async function overwrite(
  store: ObjectStore,
  type: FileType,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  await store.remove({ type, name }, never);
  await store.save({ type, name }, bytes, never);
}

/** Flips one bit of a file. `at` counts from its end if it is negative. */
export async function flipBit(
  store: ObjectStore,
  type: FileType,
  name: string,
  at: number,
  bit = 0,
): Promise<void> {
  const bytes = Uint8Array.from(await bytesOf(store, type, name));
  bytes[at < 0 ? bytes.length + at : at] ^= 1 << bit;
  await overwrite(store, type, name, bytes);
}

export async function remove(store: ObjectStore, type: FileType, name: string): Promise<void> {
  await store.remove({ type, name }, never);
}

/** Stores bytes under the name that they should have; returns it. */
export async function storeJson(
  repository: Repository,
  type: "index" | "snapshots",
  json: Uint8Array,
): Promise<string> {
  const bytes = encodeUnpacked(repository.sealer, json, repository.version);
  const name = hexOf(hashOf(bytes));
  await repository.store.save({ type, name }, bytes, never);
  return name;
}

export async function storePack(repository: Repository, pack: CraftedPack): Promise<string> {
  await repository.store.save({ type: "data", name: pack.id }, pack.bytes, never);
  return pack.id;
}

/** Adds a snapshot of a tree, `seconds` after the others by default; returns its hex id. */
export async function addSnapshot(
  repository: Repository,
  tree: Uint8Array,
  seconds = 1_700_000_000,
): Promise<string> {
  const json = encodeSnapshot({
    time: snapshotTime(seconds, 0),
    tree,
    paths: ["/"],
    hostname: "crafted",
    username: "",
    uid: 0,
    gid: 0,
    excludes: [],
    tags: [],
    programVersion: "",
  });
  return await storeJson(repository, "snapshots", json);
}

/** The content of the only index file. */
export async function readIndexJson(repository: Repository): Promise<IndexJson> {
  const [name] = await namesOf(repository.store, "index");
  const json = await fetchIndexFile(repository, name, never);
  return JSON.parse(Buffer.from(json ?? []).toString()) as IndexJson;
}

export async function addIndex(repository: Repository, index: unknown): Promise<string> {
  return await storeJson(repository, "index", Buffer.from(JSON.stringify(index)));
}

/** Changes what the only index file says, and stores it under its new name. */
export async function changeIndex(
  repository: Repository,
  change: (index: IndexJson) => void,
): Promise<string> {
  const [name] = await namesOf(repository.store, "index");
  const index = await readIndexJson(repository);
  change(index);
  await remove(repository.store, "index", name);
  return await addIndex(repository, index);
}
