/**
 * A backup from the list of snapshots to the new one. The order that keeps a repository whole: packs, then
 * index, then a look whether the lock still stands, then the snapshot.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { openSourceFiles } from "../../platform/open-source-files.ts";
import { FileError } from "../../platform/ports/source-files.ts";
import { statRecordBytes } from "../../platform/ports/stat-record.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { deriveSecret, masterKeyToBytes } from "../repository/crypto/master-key.ts";
import { idFromHex } from "../repository/id.ts";
import { IndexWriter } from "../repository/index/index-writer.ts";
import { utf8Text } from "../repository/json/utf8.ts";
import type { RepositoryLock } from "../repository/lock/repository-lock.ts";
import type { Repository } from "../repository/repository.ts";
import {
  listSnapshots,
  type NamedSnapshot,
  shortIdLength,
} from "../repository/snapshot/snapshot-finder.ts";
import type {
  BackupEvents,
  BackupRequest,
  BackupSummary,
  BackupWarning,
} from "./backup-request.ts";
import { BackupThreads, type WorkMessage } from "./backup-threads.ts";
import { gearSecretBytes } from "./chunker/gear-chunker.ts";
import { PackJournal, recoverPacks } from "./journal/pack-journal.ts";
import { lockSnapshot } from "./lock-extension.ts";
import { findParent, latestGone } from "./parent-snapshot.ts";
import type { EntriesMessage } from "./scan/entry-notes.ts";
import type { ScanDone, ScanIssue } from "./scan/scan-report.ts";
import { SourceCount } from "./scan/source-count.ts";
import { absolutePaths } from "./scan/target-tree.ts";
import { Selection } from "./select/selection.ts";
import { encodeSessionSnapshot, type SessionCounts, sessionCounts } from "./session-result.ts";
import { SourceMemory } from "./source-memory.ts";
import { readersOf } from "./source-readers.ts";
import { ReadSlots } from "./threads/read-slots.ts";
import type { StartedThreads } from "./threads/started-threads.ts";
import { locatePack, PackUploader } from "./upload/pack-uploader.ts";
import { SessionMemory } from "./work/session-memory.ts";

const progressMs = 100;
/** Time for a last index file after the session was stopped. */
const checkpointMs = 20_000;
/** Time for stores under way to notice that they are not wanted any more. */
const settleMs = 5000;

/** What the session compares with and where it notes its own progress. */
interface Ground {
  readonly parent: NamedSnapshot | undefined;
  readonly memory: SourceMemory | undefined;
  /** True if the memory's catalog describes the parent. */
  readonly hasCatalog: boolean;
  readonly index: IndexWriter;
  /** Resolves when the lock stands: nothing may be stored before. */
  readonly confirmed: Promise<void>;
}

export class BackupSession {
  readonly #repository: Repository;
  readonly #request: BackupRequest;
  readonly #events: BackupEvents;
  readonly #lock: RepositoryLock | undefined;
  readonly #startMs = Date.now();
  readonly #startedAt = performance.now();
  readonly #signal: AbortSignal;
  readonly #started: StartedThreads;
  readonly #memory: SessionMemory;
  readonly #workingDirectory: Uint8Array;
  /** Absolute. */
  readonly #paths: readonly string[];
  #issues = 0;
  #recovered = 0;
  /** Packs of the table that its index files name, and with those that were taken over. */
  #packsFound = 0;
  #packsOlder = 0;

  /** `lock` is written but not confirmed; undefined for a dry run. */
  constructor(
    repository: Repository,
    request: BackupRequest,
    events: BackupEvents,
    lock: RepositoryLock | undefined,
    signal: AbortSignal,
    started: StartedThreads,
  ) {
    this.#repository = repository;
    this.#request = request;
    // Bad patterns are told before anything is done; the threads make their own.
    void new Selection(request.selection, []);
    this.#events = events;
    this.#lock = lock;
    // A lock that is gone ends the session: nothing that it found in the repository is sure to stay.
    this.#signal = lock === undefined ? signal : AbortSignal.any([signal, lock.lost]);
    this.#workingDirectory = workingDirectoryFor(request.paths);
    this.#started = started;
    this.#memory = new SessionMemory(started.sealers + 1);
    this.#paths = absolutePaths(request.paths, this.#workingDirectory).map(utf8Text);
  }

  async run(): Promise<BackupSummary> {
    const repository = this.#repository;
    const signal = this.#signal;
    const snapshots = await listSnapshots(repository, signal, { damaged: () => undefined });
    await repository.loadIndex(signal);
    this.#packsFound = repository.blobs.packCount;
    const parent = findParent(snapshots, this.#request, this.#paths, this.#startMs);
    const memory = SourceMemory.open(repository, this.#request.hostName, this.#paths);
    this.#missLatest(memory, snapshots);
    const index = new IndexWriter(
      repository.store,
      repository.sealer,
      repository.version,
      async (writing) => await this.#lock?.assertHeld(writing),
    );
    try {
      const hasCatalog =
        parent !== undefined && (await memory?.describe(repository, parent, signal)) === true;
      const confirmed = this.#lock?.confirm(signal) ?? Promise.resolve();
      confirmed.catch(() => undefined);
      if (memory?.hasPackJournal === true && !this.#request.dryRun) {
        await confirmed;
        await this.#recover(memory, index);
      }
      this.#packsOlder = repository.blobs.packCount;
      return await this.#transfer({ parent, memory, hasCatalog, index, confirmed });
    } finally {
      memory?.close();
    }
  }

  /**
   * Tells if the restore point that the memory describes, the last one as far as this machine knows, is gone: then the
   * storage may have been set back, or hide what came last.
   */
  #missLatest(memory: SourceMemory | undefined, snapshots: readonly NamedSnapshot[]): void {
    const latest = memory?.describedSnapshot;
    if (latest === undefined || snapshots.some(({ id }) => id === latest)) return;
    this.#events.warning?.(latestGone(latest));
  }

  async #recover(memory: SourceMemory, index: IndexWriter): Promise<void> {
    const { store, sealer, blobs: table } = this.#repository;
    const parts = { store, sealer, table, index };
    const { packs } = await recoverPacks(memory.packJournal, parts, locatePack, this.#signal);
    this.#recovered = packs;
  }

  /** Runs the threads, stores what they make, and saves the snapshot. */
  async #transfer(ground: Ground): Promise<BackupSummary> {
    const scanned = Promise.withResolvers<ScanDone>();
    const uploads = new AbortController();
    const threads = this.#startThreads(ground, (message) => {
      if (message.kind === "pack") uploader.add(message, (error) => threads.fail(error));
      else if (message.kind === "issue") this.#issue(message);
      else if (message.kind === "omission")
        this.#events.omission?.({ path: utf8Text(message.path), reason: message.reason });
      else if (message.kind === "entries") void this.#tellEntries(message, threads);
      else scanned.resolve(message);
    });
    const journal = this.#openPackJournal(ground.memory);
    const uploader = new PackUploader({
      store: this.#repository.store,
      table: this.#repository.blobs,
      index: ground.index,
      journal,
      confirmed: ground.confirmed,
      threads: threads.threads,
      isDry: this.#request.dryRun,
      signal: AbortSignal.any([this.#signal, uploads.signal]),
    });
    ground.confirmed.catch((error: unknown) => threads.fail(error));
    const stop = (): void => {
      this.#memory.stop();
      threads.wakeAll();
      threads.fail(this.#signal.reason);
    };
    this.#signal.addEventListener("abort", stop, { once: true });
    if (this.#signal.aborted) stop();
    const stopProgress = this.#startProgress(ground, scanned.promise);
    try {
      const done = await threads.orFail(scanned.promise);
      threads.finishSealing();
      await threads.orFail(threads.ended(1));
      await threads.orFail(uploader.drained());
      return await this.#conclude(done, ground, threads, uploader.bytesStored);
    } catch (error) {
      this.#memory.stop();
      threads.wakeAll();
      uploads.abort();
      await Promise.race([uploader.settled(), sleep(settleMs, undefined, { ref: false })]);
      await this.#checkpoint(ground.index);
      throw error;
    } finally {
      await stopProgress();
      this.#signal.removeEventListener("abort", stop);
      this.#memory.stop();
      await threads.end();
      journal?.close();
    }
  }

  /** Every pack is stored: index, snapshot, and what the next run will want to know. */
  async #conclude(
    done: ScanDone,
    ground: Ground,
    threads: BackupThreads,
    packBytes: number,
  ): Promise<BackupSummary> {
    const { index, memory, parent } = ground;
    const { dryRun } = this.#request;
    await ground.confirmed;
    if (!dryRun) await index.flush(this.#signal);
    this.#refuseNothing(done, parent);
    const counts = sessionCounts(done.counts, this.#memory, {
      startMs: this.#startMs,
      bytesStored: packBytes + index.bytesWritten,
      packsRecovered: this.#recovered,
    });
    const snapshotId = await this.#save(done, parent, counts);
    await this.#remember(snapshotId, index, threads);
    if (snapshotId !== undefined) memory?.forgetJournals();
    const lockedUntilMs = await this.#keepLocked(snapshotId, index);
    return { ...counts, snapshotId, lockedUntilMs, parentId: parent?.id, endMs: Date.now() };
  }

  async #keepLocked(id: string | undefined, index: IndexWriter): Promise<number | undefined> {
    const { immutability } = this.#request;
    if (id === undefined || immutability === undefined) return undefined;
    const snapshot = {
      repository: this.#repository,
      immutability,
      startMs: this.#startMs,
      packsFound: this.#packsFound,
      packsOlder: this.#packsOlder,
      indexFiles: index.written,
      id,
    };
    const warn = (warning: BackupWarning): void => this.#events.warning?.(warning);
    return await lockSnapshot(snapshot, warn, this.#signal);
  }

  /** A source that is not there, or looks as if its disk were not, makes no restore point. */
  #refuseNothing({ counts }: ScanDone, parent: NamedSnapshot | undefined): void {
    const { targetsFound, targetsEmptied } = counts;
    const first = this.#paths[0] ?? "";
    if (targetsFound === 0)
      throw new BackstayError("SOURCE_MISSING", { paths: this.#paths.length, first });
    if (targetsEmptied === targetsFound && parent !== undefined)
      throw new BackstayError("SOURCE_EMPTY", { first, parent: parent.id.slice(0, shortIdLength) });
  }

  /** Completes catalog and table in the cache. The backup is done: whatever fails here costs the next run time. */
  async #remember(
    snapshotId: string | undefined,
    index: IndexWriter,
    threads: BackupThreads,
  ): Promise<void> {
    threads.send(
      0,
      snapshotId === undefined
        ? { kind: "finish" }
        : { kind: "saved", snapshotId: idFromHex(snapshotId) },
    );
    try {
      await threads.orFail(threads.ended(0));
      if (!this.#request.dryRun && index.written.length > 0)
        await this.#repository.noteIndexFiles(index);
    } catch {
      // An abort that came too late, a thread out of memory, a disk that is full.
    }
  }

  /** Saves the snapshot unless there is to be none; resolves with its hex id. */
  async #save(
    done: ScanDone,
    parent: NamedSnapshot | undefined,
    counts: SessionCounts,
  ): Promise<string | undefined> {
    const request = this.#request;
    const isSame = parent !== undefined && Buffer.compare(parent.snapshot.tree, done.tree) === 0;
    if (request.dryRun || (request.skipIfUnchanged === true && isSame)) return undefined;
    const json = encodeSessionSnapshot(request, counts, done.tree, parent?.id, this.#paths);
    await this.#lock?.assertHeld(this.#signal);
    return await this.#repository.saveSnapshot(json, this.#signal);
  }

  #startThreads(
    { parent, memory, hasCatalog }: Ground,
    onMessage: (message: WorkMessage) => void,
  ): BackupThreads {
    const { masterKey, blobs } = this.#repository;
    const request = this.#request;
    const shared = {
      threads: this.#started.sealers + 1,
      masterKey: masterKeyToBytes(masterKey),
      compression: request.compression,
      table: blobs.shared,
      memory: this.#memory.shared,
      tellsEntries: this.#events.entries !== undefined,
    };
    const isKept = !request.dryRun && memory?.isLasting === true;
    return new BackupThreads({
      started: this.#started,
      needsAll: parent === undefined,
      scan: {
        ...shared,
        ...this.#walk(memory),
        oldCatalog: hasCatalog ? memory?.catalog : undefined,
        newCatalog: isKept ? memory.catalog : undefined,
        journal: isKept ? memory.fileJournal : undefined,
      },
      seal: {
        ...shared,
        gearSecret: deriveSecret(masterKey, "gear table 1", gearSecretBytes),
        readSlots: ReadSlots.create(request.readers ?? readersOf(request.paths)),
      },
      onMessage,
    });
  }

  /** What is walked: the same for the scan and for the count. */
  #walk(
    memory: SourceMemory | undefined,
  ): Pick<BackupRequest, "paths" | "selection"> & { workingDirectory: Uint8Array } {
    const { paths, selection } = this.#request;
    const folders = [this.#repository.cache?.directory, memory?.folder];
    const own = folders.flatMap((folder) => (folder === undefined ? [] : [Buffer.from(folder)]));
    const records = own.flatMap((folder) => recordOf(folder) ?? []);
    return {
      paths,
      workingDirectory: this.#workingDirectory,
      selection: {
        ...selection,
        ownPlaces: [...selection.ownPlaces, ...own.map((folder) => new Uint8Array(folder))],
        ownPlaceRecords: [...(selection.ownPlaceRecords ?? []), ...records],
      },
    };
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

  async #tellEntries({ entries }: EntriesMessage, threads: BackupThreads): Promise<void> {
    try {
      await this.#events.entries?.(entries);
      threads.send(0, { kind: "entries taken" });
    } catch (error) {
      threads.fail(error);
    }
  }

  /** Reports progress until the returned function is called. Totals: the scan's, before its end the parent's or a count's. */
  #startProgress(
    { parent, memory: kept }: Ground,
    scanned: Promise<ScanDone>,
  ): () => Promise<void> {
    const events = this.#events;
    if (events.progress === undefined) return async () => undefined;
    const summary = parent?.snapshot.summary;
    const count = summary === undefined ? new SourceCount(this.#walk(kept)) : undefined;
    let isScanned = false;
    void scanned.then(() => {
      isScanned = true;
    });
    const memory = this.#memory;
    const report = (): void => {
      const counted = count?.totals;
      events.progress?.({
        filesDone: memory.total("filesDone"),
        bytesDone: memory.total("bytesDone"),
        filesTotal: isScanned
          ? memory.total("filesSeen")
          : (summary?.totalFilesProcessed ?? counted?.files),
        bytesTotal: isScanned
          ? memory.total("bytesSeen")
          : (summary?.totalBytesProcessed ?? counted?.bytes),
        currentFiles: memory.currentFiles(),
        issues: this.#issues,
        elapsedMs: performance.now() - this.#startedAt,
      });
    };
    const timer = setInterval(report, progressMs);
    return async () => {
      clearInterval(timer);
      await count?.stop();
    };
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

  #openPackJournal(memory: SourceMemory | undefined): PackJournal | undefined {
    try {
      if (memory === undefined || this.#request.dryRun) return undefined;
      return new PackJournal(memory.packJournal);
    } catch {
      // No room in the cache: a crash then costs what had arrived since the last index file.
      return undefined;
    }
  }
}

/** Relative paths begin here. A folder that was removed is only missed where a path is relative. */
function workingDirectoryFor(paths: readonly Uint8Array[]): Uint8Array {
  const isNeeded = paths.some((path) => path[0] !== 0x2f);
  try {
    return new Uint8Array(Buffer.from(isNeeded ? process.cwd() : "/"));
  } catch (error) {
    throw new BackstayError("SOURCE_MISSING", { problem: "the working directory is gone" }, error);
  }
}

/** By its stat record a folder is known under any path. */
function recordOf(folder: Uint8Array): Uint8Array | undefined {
  const record = new Uint8Array(statRecordBytes);
  try {
    openSourceFiles().stat(folder, record, 0);
    return record;
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return undefined;
  }
}
