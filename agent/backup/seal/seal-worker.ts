/** Entry of a sealing worker: takes read work from the scan, gives packs to the main thread. */
import type { MessagePort } from "node:worker_threads";
import { openCodec } from "../../../platform/open-codec.ts";
import { openSourceFiles } from "../../../platform/open-source-files.ts";
import type { ExtendedAttribute, SourceFile } from "../../../platform/ports/source-files.ts";
import { statRecordBytes } from "../../../platform/ports/stat-record.ts";
import type { CompressionMode } from "../../repository/blob/compression.ts";
import { masterKeyFromBytes } from "../../repository/crypto/master-key.ts";
import { BlobTable, type SharedBlobTable } from "../../repository/index/blob-table.ts";
import { PackAssembler } from "../../repository/pack/pack-assembler.ts";
import { GearChunker } from "../chunker/gear-chunker.ts";
import { givenWork } from "../threads/given-work.ts";
import { guardThread } from "../threads/guard-thread.ts";
import { Inbox, post } from "../threads/inbox.ts";
import { ReadSlots } from "../threads/read-slots.ts";
import { type Cost, CostMeter } from "../work/cost-meter.ts";
import type { FileBatch, FileRange, ReadIssue, ReadResult } from "../work/read-work.ts";
import { SessionMemory } from "../work/session-memory.ts";
import { bufferBytes, FileSealer, type SealedFile } from "./file-sealer.ts";
import { type BufferMessage, PackExchange } from "./pack-exchange.ts";

/** What a worker is given to do. */
export interface SealWorkerData {
  /** Number of the thread: 0 is the scan, workers follow. */
  readonly thread: number;
  readonly threads: number;
  readonly masterKey: Uint8Array;
  readonly gearSecret: Uint8Array;
  readonly compression: CompressionMode;
  readonly table: SharedBlobTable;
  readonly memory: SharedArrayBuffer;
  readonly readSlots: SharedArrayBuffer;
  readonly wake: SharedArrayBuffer;
  readonly mainPort: MessagePort;
  readonly mainWake: SharedArrayBuffer;
  readonly scanPort: MessagePort;
  readonly scanWake: SharedArrayBuffer;
  /** True if the cost of each file is wanted. */
  readonly tellsEntries: boolean;
}

/** From the main thread: no more work will come. */
export interface FinishMessage {
  readonly kind: "finish";
}

type Message = FileBatch | FileRange | BufferMessage | FinishMessage;

const data = await givenWork<SealWorkerData>();
const main = { port: data.mainPort, wake: new Int32Array(data.mainWake) };
const scan = { port: data.scanPort, wake: new Int32Array(data.scanWake) };
const memory = new SessionMemory(data.threads, data.memory);
const inbox = new Inbox<Message>([data.mainPort, data.scanPort], new Int32Array(data.wake), () =>
  memory.assertRunning(),
);
const waiting: Message[] = [];
const counters = memory.counters(data.thread);
const codec = openCodec();
const meter = data.tellsEntries ? new CostMeter(counters) : undefined;

const packs = new PackExchange({
  thread: data.thread,
  main,
  assembler: new PackAssembler(masterKeyFromBytes(data.masterKey), data.compression, codec),
  table: BlobTable.attach(data.table),
  counters,
  awaitMemory: () => {
    for (;;) {
      const message = inbox.wait();
      if (message.kind === "buffer") return packs.returnBuffer(message.buffer);
      waiting.push(message);
    }
  },
});

const sealer = new FileSealer({
  files: openSourceFiles(),
  codec,
  chunker: new GearChunker(data.gearSecret, bufferBytes),
  packs,
  counters,
  memory,
  slots: new ReadSlots(data.readSlots),
});

function readBatch(batch: FileBatch): ReadResult {
  const count = batch.offsets.length - 1;
  const result = emptyResult(batch.id, count, batch.records);
  let index = 0;
  for (const { directory, count: groupCount } of batch.groups) {
    const first = batch.names.subarray(batch.offsets[index], batch.offsets[index + 1]);
    memory.setCurrent(data.thread, directory.path, first);
    for (const end = index + groupCount; index < end; index += 1) {
      memory.assertRunning();
      const name = batch.names.subarray(batch.offsets[index], batch.offsets[index + 1]);
      const firstId = sealer.idCount;
      const at = index * statRecordBytes;
      meter?.start();
      const sealed = sealer.sealFile(directory, name, batch.records, at, (file) =>
        noteAttributes(result.attributes, index, file),
      );
      note(result, index, sealed, sealer.idCount - firstId);
    }
  }
  return result;
}

function readRange(range: FileRange): ReadResult {
  const result = emptyResult(range.id, 1, range.record);
  memory.setCurrent(data.thread, range.directory.path, range.name);
  meter?.start();
  const sealed = sealer.sealRange(range.directory, range.name, range.record, range, (file) =>
    noteAttributes(result.attributes, 0, file),
  );
  note(result, 0, sealed, sealer.idCount);
  return result;
}

interface OpenResult extends ReadResult {
  readonly attributes: { index: number; list: ExtendedAttribute[] }[];
  readonly issues: ReadIssue[];
  readonly costs: Cost[] | undefined;
}

function emptyResult(id: number, count: number, records: Uint8Array): OpenResult {
  sealer.idCount = 0;
  return {
    kind: "read",
    worker: data.thread,
    id,
    isRead: new Uint8Array(count),
    isFresh: new Uint8Array(count),
    sizes: new Float64Array(count),
    idCounts: new Uint32Array(count),
    ids: new Uint8Array(0),
    records,
    attributes: [],
    issues: [],
    costs: meter === undefined ? undefined : [],
  };
}

function note(result: OpenResult, index: number, sealed: SealedFile, idCount: number): void {
  result.isRead[index] = sealed.isRead ? 1 : 0;
  result.isFresh[index] = sealed.isFresh ? 1 : 0;
  result.sizes[index] = sealed.size;
  result.idCounts[index] = idCount;
  if (sealed.issue !== undefined) result.issues.push({ index, ...sealed.issue });
  if (meter !== undefined) result.costs?.push(meter.stop());
}

function noteAttributes(
  attributes: { index: number; list: ExtendedAttribute[] }[],
  index: number,
  file: SourceFile,
): void {
  const list = file.extendedAttributes();
  if (list.length > 0) attributes.push({ index, list });
}

function answer(result: ReadResult): void {
  const complete = { ...result, ids: sealer.ids.slice(0, sealer.idCount * 32) };
  post(scan, complete, [complete.ids.buffer, complete.records.buffer as ArrayBuffer]);
}

guardThread(data.thread, main, () => {
  for (;;) {
    const message = waiting.shift() ?? inbox.wait();
    if (message.kind === "batch") answer(readBatch(message));
    else if (message.kind === "range") answer(readRange(message));
    else if (message.kind === "buffer") packs.returnBuffer(message.buffer);
    else break;
  }
  packs.flush();
  post(main, { kind: "finished", thread: data.thread });
});
