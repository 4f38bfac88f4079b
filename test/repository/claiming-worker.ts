/** A thread that claims blobs of a shared table as fast as it can, for the test of races between threads. */
import { parentPort, workerData } from "node:worker_threads";
import { BlobTable, type SharedBlobTable } from "../../agent/repository/index/blob-table.ts";

/** What the thread is given. */
export interface ClaimingWork {
  readonly table: SharedBlobTable;
  /** 32 bytes each; blob `i` is a tree if `i` is odd. */
  readonly ids: SharedArrayBuffer;
  /** One count per blob: how many threads were told to store it. */
  readonly wins: SharedArrayBuffer;
  /** Threads count down here and start when it is 0. */
  readonly gate: SharedArrayBuffer;
  /** Where among the blobs this thread begins, and in which steps it goes on. */
  readonly first: number;
  readonly step: number;
}

const work = workerData as ClaimingWork;
const table = BlobTable.attach(work.table);
const ids = new Uint8Array(work.ids);
const wins = new Int32Array(work.wins);
const gate = new Int32Array(work.gate);
const count = wins.length;
let lost = 0;

Atomics.sub(gate, 0, 1);
while (Atomics.load(gate, 0) > 0);
for (let i = 0, at = work.first; i < count; i += 1, at = (at + work.step) % count) {
  const isTree = at % 2 === 1;
  if (table.claim(ids, at * 32, isTree)) Atomics.add(wins, at, 1);
  if (table.find(ids, at * 32, isTree) < 0) lost += 1;
}
parentPort?.postMessage(lost);
