/** Entry of the scan thread: walks the source, feeds the sealing workers, builds trees, writes catalog and journal. */
import type { MessagePort } from "node:worker_threads";
import { openCodec } from "../../../platform/open-codec.ts";
import { openSourceFiles } from "../../../platform/open-source-files.ts";
import type { CompressionMode } from "../../repository/blob/compression.ts";
import { masterKeyFromBytes } from "../../repository/crypto/master-key.ts";
import { BlobTable, type SharedBlobTable } from "../../repository/index/blob-table.ts";
import { PackAssembler } from "../../repository/pack/pack-assembler.ts";
import { CatalogReader } from "../catalog/catalog-reader.ts";
import { CatalogWriter } from "../catalog/catalog-writer.ts";
import { FileJournalReader, FileJournalWriter } from "../journal/file-journal.ts";
import { type BufferMessage, PackExchange } from "../seal/pack-exchange.ts";
import type { FinishMessage } from "../seal/seal-worker.ts";
import { Selection } from "../select/selection.ts";
import type { SelectionOptions } from "../select/selection-options.ts";
import { givenWork } from "../threads/given-work.ts";
import { guardThread } from "../threads/guard-thread.ts";
import { Inbox, post } from "../threads/inbox.ts";
import type { ReadResult } from "../work/read-work.ts";
import { SessionMemory } from "../work/session-memory.ts";
import { type EntriesTakenMessage, EntryNotes } from "./entry-notes.ts";
import { InterruptedRun } from "./previous-run.ts";
import { FileReading } from "./read-files.ts";
import { joinPath, type ScanDone, ScanReport } from "./scan-report.ts";
import { Scanner } from "./scanner.ts";
import { SourceRoots } from "./source-roots.ts";
import { absolutePaths, targetTree } from "./target-tree.ts";
import { TreeSaver } from "./tree-saver.ts";
import { type Answer, WorkSender } from "./work-sender.ts";

/** What the scan thread is given to do. */
export interface ScanWorkerData {
  readonly threads: number;
  readonly paths: readonly Uint8Array[];
  readonly workingDirectory: Uint8Array;
  readonly selection: SelectionOptions;
  readonly masterKey: Uint8Array;
  readonly compression: CompressionMode;
  readonly table: SharedBlobTable;
  readonly memory: SharedArrayBuffer;
  readonly wake: SharedArrayBuffer;
  readonly mainPort: MessagePort;
  readonly mainWake: SharedArrayBuffer;
  readonly workers: readonly { readonly port: MessagePort; readonly wake: SharedArrayBuffer }[];
  /** Catalog of the previous run, if there is one to compare with. */
  readonly oldCatalog: string | undefined;
  /** Where the new catalog goes. */
  readonly newCatalog: string | undefined;
  readonly journal: string | undefined;
  /** True if the main thread wants to know of each file and folder. */
  readonly tellsEntries: boolean;
}

/** From the main thread: the snapshot is saved. */
export interface SnapshotSavedMessage {
  readonly kind: "saved";
  readonly snapshotId: Uint8Array;
}

type Message =
  | ReadResult
  | BufferMessage
  | FinishMessage
  | SnapshotSavedMessage
  | EntriesTakenMessage;

const data = await givenWork<ScanWorkerData>();
const main = { port: data.mainPort, wake: new Int32Array(data.mainWake) };
const workers = data.workers.map(({ port, wake }) => ({ port, wake: new Int32Array(wake) }));
const ports = [data.mainPort, ...workers.map(({ port }) => port)];
const memory = new SessionMemory(data.threads, data.memory);
const inbox = new Inbox<Message>(ports, new Int32Array(data.wake), () => memory.assertRunning());
const counters = memory.counters(0);
const table = BlobTable.attach(data.table);
const codec = openCodec();
const files = openSourceFiles();
const answers: Answer[] = [];

const packs = new PackExchange({
  thread: 0,
  main,
  assembler: new PackAssembler(masterKeyFromBytes(data.masterKey), data.compression, codec),
  table,
  counters,
  awaitMemory: () => {
    for (;;) {
      const message = inbox.wait();
      if (message.kind === "buffer") return packs.returnBuffer(message.buffer);
      keep(message);
    }
  },
});

/** Answers are put aside, to be used where no other directory is in the middle of being saved. */
function keep(message: Message): void {
  if (message.kind === "read") answers.push(sender.take(message));
  else if (message.kind === "buffer") packs.returnBuffer(message.buffer);
  else if (message.kind === "entries taken") notes?.taken();
}

const sender = new WorkSender(
  workers,
  (worker) => post(main, { kind: "needed", thread: worker + 1 }),
  () => {
    keep(inbox.wait());
    // At once, not at the end of the folder or file: what is noted need not be read again after a crash.
    useAnswers();
  },
);
const report = new ScanReport((told) => post(main, told));
const notes = data.tellsEntries
  ? new EntryNotes(
      (message) => post(main, message),
      counters,
      () => keep(inbox.wait()),
    )
  : undefined;

/** Uses what has arrived, without waiting. */
function breathe(): void {
  memory.assertRunning();
  for (let message = inbox.poll(); message !== undefined; message = inbox.poll()) keep(message);
  useAnswers();
}

/** Waits for files that are under way; false if there are none. */
function settle(): boolean {
  sender.flush();
  notes?.flush();
  if (answers.length === 0) {
    if (!sender.isBusy) return false;
    keep(inbox.wait());
  }
  useAnswers();
  return true;
}

function useAnswers(): void {
  for (let answer = answers.shift(); answer !== undefined; answer = answers.shift())
    reading.take(answer);
}

const oldCatalog = data.oldCatalog === undefined ? undefined : CatalogReader.open(data.oldCatalog);
const newCatalog = openLocal(data.newCatalog, (path) => new CatalogWriter(path));
const oldJournal = data.journal === undefined ? undefined : FileJournalReader.open(data.journal);
const newJournal = openLocal(
  data.journal,
  (path) => new FileJournalWriter(path, oldJournal?.validBytes ?? 0),
);

const reading = new FileReading({
  sender,
  report,
  interrupted: oldJournal === undefined ? undefined : new InterruptedRun(oldJournal, table),
  journal: newJournal,
  counters,
  notes,
  onDone: (state) => scanner.fileDone(state),
});

const saver = new TreeSaver({
  codec,
  table,
  packs,
  catalog: newCatalog,
  files,
  onIssue: (state, index, error) =>
    report.issue(joinPath(state.path, state.nameOf(index)), "archival", error),
});

const sourceRoots = new SourceRoots(
  files,
  absolutePaths(data.paths, data.workingDirectory),
  (path, error) => report.issue(path, "scan", error),
);

const scanner = new Scanner({
  files,
  selection: new Selection(data.selection, sourceRoots.roots),
  catalog: oldCatalog,
  table,
  reading,
  saver,
  report,
  counters,
  notes,
  breathe,
  settle,
});

/** A local file that only saves time: without it the run goes on. */
function openLocal<T>(path: string | undefined, open: (path: string) => T): T | undefined {
  try {
    return path === undefined ? undefined : open(path);
  } catch {
    // The disk of the cache is full or read-only.
    return undefined;
  }
}

function scan(): void {
  scanner.walk(targetTree(data.paths, data.workingDirectory));
  while (settle());
  sourceRoots.assertStillThere();
  packs.flush();
  newJournal?.close();
  const result = scanner.result;
  if (result === undefined) throw new Error("the walk ended without a root");
  notes?.flush();
  const done: ScanDone = {
    kind: "scanned",
    tree: result.id,
    topBlock: result.block,
    counts: report.counts,
  };
  post(main, done);
  awaitEnd(result.block);
}

/** Keeps the catalog only if a snapshot was saved of what it describes. */
function awaitEnd(topBlock: number): void {
  for (;;) {
    const message = inbox.wait();
    if (message.kind === "saved") newCatalog?.finish(topBlock, message.snapshotId);
    else if (message.kind === "finish") newCatalog?.abandon();
    else continue;
    break;
  }
  post(main, { kind: "finished", thread: 0 });
}

guardThread(0, main, () => {
  try {
    scan();
  } catch (error) {
    newJournal?.flush();
    newCatalog?.abandon();
    throw error;
  } finally {
    oldCatalog?.close();
    oldJournal?.close();
  }
});
