/**
 * One backup, from lock to snapshot. The order that keeps a repository whole: packs, then index, then a
 * look whether the lock still stands, then the snapshot.
 */
import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { openSourceFiles } from "../../platform/open-source-files.ts";
import { FileError } from "../../platform/ports/source-files.ts";
import { processIdentity } from "../../platform/process-identity.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { programVersion } from "../../protocol/program-version.ts";
import { deriveSecret, masterKeyToBytes } from "../repository/crypto/master-key.ts";
import { idFromHex } from "../repository/id.ts";
import { IndexWriter } from "../repository/index/index-writer.ts";
import type { RepositoryLock } from "../repository/lock/repository-lock.ts";
import type { Repository } from "../repository/repository.ts";
import { snapshotTime } from "../repository/snapshot/snapshot.ts";
import { encodeSnapshot } from "../repository/snapshot/snapshot-codec.ts";
import { listSnapshots, type NamedSnapshot } from "../repository/snapshot/snapshot-finder.ts";
import type { BackupEvents, BackupRequest, BackupSummary } from "./backup-request.ts";
import { BackupThreads, errorOf } from "./backup-threads.ts";
import { gearSecretBytes } from "./chunker/gear-chunker.ts";
import { PackJournal, recoverPacks } from "./journal/pack-journal.ts";
import type { ScanCounts, ScanDone, ScanIssue } from "./scan/scan-report.ts";
import { absolutePaths } from "./scan/target-tree.ts";
import type { PackMessage } from "./seal/pack-exchange.ts";
import { SourceMemory } from "./source-memory.ts";
import type { FailedMessage } from "./threads/guard-thread.ts";
import { ReadSlots } from "./threads/read-slots.ts";
import { locatePack, PackUploader } from "./upload/pack-uploader.ts";
import { SessionMemory } from "./work/session-memory.ts";

const progressMs = 100;
/** Time for a last index file after the session was stopped. */
const checkpointMs = 20_000;
/** Time for threads to end by themselves. */
const stopMs = 2000;
const sealersMax = 8;

type ThreadMessage = PackMessage | ScanDone | ScanIssue | FailedMessage | FinishedMessage;

/** A thread has done all its work. */
interface FinishedMessage {
  readonly kind: "finished";
  readonly thread: number;
}

/**
 * Backs up `request.paths`. Single files that can't be read become issues; the repository out of reach, a
 * source that does not exist at all, or a lost lock reject. After an abort what had arrived is indexed, so
 * that the next run does not send it again.
 */
export async function runBackup(
  repository: Repository,
  request: BackupRequest,
  events: BackupEvents,
  signal: AbortSignal,
): Promise<BackupSummary> {
  repository.assertWritable();
  const startMs = Date.now();
  const lock = request.dryRun
    ? undefined
    : await repository.beginLock({ exclusive: false, waitMs: request.lockWaitMs, signal });
  try {
    return await new BackupSession(repository, request, events, lock, startMs, signal).run();
  } finally {
    await lock?.release();
  }
}

class BackupSession {
  readonly #repository: Repository;
  readonly #request: BackupRequest;
  readonly #events: BackupEvents;
  readonly #lock: RepositoryLock | undefined;
  readonly #startMs: number;
  readonly #startedAt = performance.now();
  readonly #signal: AbortSignal;
  readonly #sealers: number;
  readonly #memory: SessionMemory;
  readonly #workingDirectory = new Uint8Array(Buffer.from(process.cwd()));
  #issues = 0;
  #recovered = 0;

  constructor(
    repository: Repository,
    request: BackupRequest,
    events: BackupEvents,
    lock: RepositoryLock | undefined,
    startMs: number,
    signal: AbortSignal,
  ) {
    this.#repository = repository;
    this.#request = request;
    this.#events = events;
    this.#lock = lock;
    this.#startMs = startMs;
    this.#signal = signal;
    this.#sealers = sealersFor(request);
    this.#memory = new SessionMemory(this.#sealers + 1);
  }

  async run(): Promise<BackupSummary> {
    const repository = this.#repository;
    const signal = this.#signal;
    const paths = this.#pathTexts();
    const snapshots = await listSnapshots(repository, signal, { damaged: () => undefined });
    await repository.loadIndex(signal);
    const parent = findParent(snapshots, this.#request, paths);
    const memory = SourceMemory.open(repository, this.#request.hostName, paths);
    const index = new IndexWriter(repository.store, repository.sealer, repository.version);
    try {
      const hasCatalog =
        parent !== undefined && (await memory?.describe(repository, parent, signal)) === true;
      await this.#lock?.confirm(signal);
      if (memory !== undefined && !this.#request.dryRun) await this.#recover(memory, index);
      return await this.#runThreads(memory, hasCatalog, parent, index, paths);
    } finally {
      memory?.close();
    }
  }

  async #recover(memory: SourceMemory, index: IndexWriter): Promise<void> {
    const { store, sealer, blobs: table } = this.#repository;
    const parts = { store, sealer, table, index };
    const { packs } = await recoverPacks(memory.packJournal, parts, locatePack, this.#signal);
    this.#recovered = packs;
  }

  async #runThreads(
    memory: SourceMemory | undefined,
    hasCatalog: boolean,
    parent: NamedSnapshot | undefined,
    index: IndexWriter,
    paths: readonly string[],
  ): Promise<BackupSummary> {
    const { dryRun } = this.#request;
    const journal = dryRun || memory === undefined ? undefined : openJournal(memory.packJournal);
    const failure = Promise.withResolvers<never>();
    failure.promise.catch(() => undefined);
    const scanned = Promise.withResolvers<ScanDone>();
    const ended = new Set<number>();
    let onEnded = (): void => undefined;
    const uploads = new AbortController();
    const threads = this.#start(
      memory,
      hasCatalog,
      (message) => {
        if (message.kind === "pack") uploader.add(message, failure.reject);
        else if (message.kind === "issue") this.#issue(message);
        else if (message.kind === "scanned") scanned.resolve(message);
        else if (message.kind === "failed") failure.reject(errorOf(message));
        else {
          ended.add((message as unknown as { thread: number }).thread);
          onEnded();
        }
      },
      failure.reject,
    );
    const uploader = new PackUploader({
      store: this.#repository.store,
      table: this.#repository.blobs,
      index,
      journal,
      threads: threads.threads,
      isDry: dryRun,
      signal: AbortSignal.any([this.#signal, uploads.signal]),
    });
    const allEnded = (first: number): Promise<void> =>
      new Promise((resolve) => {
        const wanted = threads.threads.length - first;
        onEnded = () => {
          if ([...ended].filter((thread) => thread >= first).length === wanted) resolve();
        };
        onEnded();
      });
    const stop = (): void => {
      this.#memory.stop();
      threads.wakeAll();
      failure.reject(this.#signal.reason);
    };
    this.#signal.addEventListener("abort", stop, { once: true });
    if (this.#signal.aborted) stop();
    const parentTotals = parent?.snapshot.summary;
    let done: ScanDone | undefined;
    const timer = setInterval(() => {
      this.#progress(done?.counts, parentTotals);
    }, progressMs);
    const orFail = <T>(work: Promise<T>): Promise<T> => Promise.race([work, failure.promise]);
    try {
      done = await orFail(scanned.promise);
      for (let i = 1; i < threads.threads.length; i += 1) threads.send(i, { kind: "finish" });
      await orFail(allEnded(1));
      await orFail(uploader.drained());
      if (!dryRun) await index.flush(this.#signal);
      this.#refuseEmpty(done.counts);
      const summary = this.#summary(done.counts, uploader, index);
      const snapshotId = await this.#save(done, parent, paths, summary);
      threads.send(0, this.#endOfScan(snapshotId));
      await orFail(allEnded(0));
      if (!dryRun) {
        if (index.written.length > 0) await this.#repository.noteIndexFiles(index);
        if (snapshotId !== undefined) memory?.forgetJournals();
      }
      return { ...summary, snapshotId, parentId: parent?.id, endMs: Date.now() };
    } catch (error) {
      uploads.abort();
      await this.#checkpoint(index);
      throw error;
    } finally {
      clearInterval(timer);
      this.#signal.removeEventListener("abort", stop);
      this.#memory.stop();
      threads.wakeAll();
      // Stopped threads write down what they know; one that hangs in a system call is not waited for.
      await Promise.race([allEnded(0), sleep(stopMs, undefined, { ref: false })]);
      await threads.end();
      journal?.close();
    }
  }

  #start(
    memory: SourceMemory | undefined,
    hasCatalog: boolean,
    onMessage: (message: ThreadMessage) => void,
    onDeath: (error: unknown) => void,
  ): BackupThreads {
    const { masterKey, blobs } = this.#repository;
    const request = this.#request;
    const shared = {
      threads: this.#sealers + 1,
      masterKey: masterKeyToBytes(masterKey),
      compression: request.compression,
      table: blobs.shared,
      memory: this.#memory.shared,
    };
    const cachePlace = this.#repository.cache?.directory;
    const ownPlaces = cachePlace === undefined ? [] : [new Uint8Array(Buffer.from(cachePlace))];
    return new BackupThreads({
      sealers: this.#sealers,
      scan: {
        ...shared,
        paths: request.paths,
        workingDirectory: this.#workingDirectory,
        selection: {
          ...request.selection,
          ownPlaces: [...request.selection.ownPlaces, ...ownPlaces],
        },
        oldCatalog: hasCatalog ? memory?.catalog : undefined,
        newCatalog: request.dryRun ? undefined : memory?.catalog,
        journal: request.dryRun || memory?.isLasting !== true ? undefined : memory.fileJournal,
      },
      seal: {
        ...shared,
        gearSecret: deriveSecret(masterKey, "gear table 1", gearSecretBytes),
        readSlots: ReadSlots.create(request.readers ?? readersOf(request.paths)),
      },
      onMessage: onMessage as (message: unknown) => void,
      onDeath,
    });
  }

  #issue(issue: ScanIssue): void {
    this.#issues += 1;
    this.#events.issue?.({
      path: Buffer.from(issue.path).toString("utf8"),
      during: issue.during,
      code: issue.code,
      message: issue.message,
    });
  }

  #progress(
    counts: ScanCounts | undefined,
    estimate: { totalFilesProcessed?: number; totalBytesProcessed?: number } | undefined,
  ): void {
    const memory = this.#memory;
    const isThrough = counts !== undefined;
    this.#events.progress?.({
      filesDone: memory.total("filesDone"),
      bytesDone: memory.total("bytesDone"),
      filesTotal: isThrough ? memory.total("filesSeen") : estimate?.totalFilesProcessed,
      bytesTotal: isThrough ? memory.total("bytesSeen") : estimate?.totalBytesProcessed,
      currentFiles: memory.currentFiles(),
      issues: this.#issues,
      elapsedMs: performance.now() - this.#startedAt,
    });
  }

  #refuseEmpty(counts: ScanCounts): void {
    if (counts.targetsFound > 0) return;
    const [first] = this.#pathTexts();
    throw new BackstayError("SOURCE_MISSING", { paths: this.#request.paths.length, first });
  }

  #summary(
    counts: ScanCounts,
    uploader: PackUploader,
    index: IndexWriter,
  ): Omit<BackupSummary, "snapshotId" | "parentId" | "endMs"> {
    const memory = this.#memory;
    return {
      filesNew: counts.filesNew,
      filesChanged: counts.filesChanged,
      filesUnmodified: counts.filesUnmodified,
      dirsNew: counts.dirsNew,
      dirsChanged: counts.dirsChanged,
      dirsUnmodified: counts.dirsUnmodified,
      dataBlobs: memory.total("dataBlobs"),
      treeBlobs: memory.total("treeBlobs"),
      dataAdded: memory.total("bytesAdded"),
      dataAddedPacked: memory.total("bytesPacked"),
      totalFilesProcessed: counts.files,
      totalBytesProcessed: counts.bytes,
      startMs: this.#startMs,
      issues: counts.issues,
      bytesRead: memory.total("bytesRead"),
      bytesStored: uploader.bytesStored + index.bytesWritten,
      packsRecovered: this.#recovered,
    };
  }

  async #save(
    done: ScanDone,
    parent: NamedSnapshot | undefined,
    paths: readonly string[],
    summary: Omit<BackupSummary, "snapshotId" | "parentId" | "endMs">,
  ): Promise<string | undefined> {
    const request = this.#request;
    const isSame = parent !== undefined && Buffer.compare(parent.snapshot.tree, done.tree) === 0;
    if (request.dryRun || (request.skipIfUnchanged === true && isSame)) return undefined;
    const identity = processIdentity();
    const json = encodeSnapshot({
      time: timeOf(request.timeMs ?? this.#startMs),
      ...(parent === undefined ? {} : { parent: idFromHex(parent.id) }),
      tree: done.tree,
      paths,
      hostname: request.hostName,
      username: identity.userName,
      uid: identity.uid,
      gid: identity.gid,
      excludes: request.excludes ?? [],
      tags: request.tags,
      programVersion: `backstay ${programVersion}`,
      summary: {
        ...summary,
        backupStart: timeOf(this.#startMs),
        backupEnd: timeOf(Date.now()),
      },
    });
    await this.#lock?.assertHeld(this.#signal);
    return await this.#repository.saveSnapshot(json, this.#signal);
  }

  #endOfScan(snapshotId: string | undefined): object {
    if (snapshotId === undefined) return { kind: "finish" };
    return { kind: "saved", snapshotId: idFromHex(snapshotId) };
  }

  /** Indexes what had arrived when the session was stopped; the pack journal covers the case that this fails. */
  async #checkpoint(index: IndexWriter): Promise<void> {
    if (this.#request.dryRun) return;
    try {
      await index.flush(AbortSignal.timeout(checkpointMs));
    } catch {
      // The store is what failed: the next run finds the packs by the journal.
    }
  }

  #pathTexts(): string[] {
    return absolutePaths(this.#request.paths, this.#workingDirectory).map((path) =>
      Buffer.from(path).toString("utf8"),
    );
  }
}

function openJournal(filePath: string): PackJournal | undefined {
  try {
    return new PackJournal(filePath);
  } catch {
    // No room in the cache: a crash then costs what had arrived since the last index file.
    return undefined;
  }
}

function timeOf(ms: number): ReturnType<typeof snapshotTime> {
  return snapshotTime(Math.floor(ms / 1000), (((ms % 1000) + 1000) % 1000) * 1_000_000);
}

/** The snapshot to compare with: the one asked for, or the newest of the same host and paths. */
function findParent(
  snapshots: readonly NamedSnapshot[],
  request: BackupRequest,
  paths: readonly string[],
): NamedSnapshot | undefined {
  if (request.parent === "none") return undefined;
  if (request.parent !== undefined) {
    const wanted = request.parent;
    const found = snapshots.find(({ id }) => id === wanted);
    if (found === undefined) throw new BackstayError("SNAPSHOT_NOT_FOUND", { snapshot: wanted });
    return found;
  }
  const key = JSON.stringify([...paths].sort());
  const latestMs = request.timeMs ?? Number.POSITIVE_INFINITY;
  return snapshots.findLast(
    ({ snapshot }) =>
      snapshot.hostname === request.hostName &&
      JSON.stringify([...snapshot.paths].sort()) === key &&
      snapshot.time.seconds * 1000 <= latestMs,
  );
}

function sealersFor(request: BackupRequest): number {
  const cores = availableParallelism();
  return Math.max(1, Math.min(sealersMax, Math.max(cores, request.readers ?? 0)));
}

/** The smallest bound that a medium of the sources asks for; 0 if none does. */
function readersOf(paths: readonly Uint8Array[]): number {
  const files = openSourceFiles();
  let bound = 0;
  for (const path of paths) {
    try {
      const { readers, kind } = files.medium(path);
      if (kind === "rotating") bound = bound === 0 ? readers : Math.min(bound, readers);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      // A missing path is reported by the scan.
    }
  }
  return bound;
}
