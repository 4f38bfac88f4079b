/**
 * What became of each file and folder, for who asked to be told of it. Notes travel in lots, of which only few are
 * under way: a reader that is slower than the scan holds it up instead of filling memory.
 */
import { type Cost, CostMeter, noCost } from "../work/cost-meter.ts";
import type { DirectoryState } from "./directory-state.ts";
import { joinPath } from "./scan-report.ts";

export type EntryAction = "new" | "modified" | "unchanged";

/** A file or folder of the new snapshot. */
export interface EntryNote extends Readonly<Cost> {
  readonly action: EntryAction;
  /** Raw, as in the snapshot; of a folder with a slash at its end. */
  readonly path: Uint8Array;
}

/** To the main thread, which answers each lot with `EntriesTakenMessage`. */
export interface EntriesMessage {
  readonly kind: "entries";
  readonly entries: readonly EntryNote[];
}

export interface EntriesTakenMessage {
  readonly kind: "entries taken";
}

const lotEntries = 128;
const lotsMax = 8;
const dot = 0x2e;
const slash = 0x2f;
const nothing = new Uint8Array(0);

export class EntryNotes {
  readonly #send: (message: EntriesMessage) => void;
  readonly #awaitMessage: () => void;
  readonly #meter: CostMeter;
  /** Files that are being read and were in the previous run, by number of their entry. */
  readonly #known = new Map<DirectoryState, Set<number>>();
  #lot: EntryNote[] = [];
  #lotsUnderWay = 0;

  /** `counters` are those of the scan. `awaitMessage` blocks until a message has come, of which `taken` is told if it is one for it. */
  constructor(
    send: (message: EntriesMessage) => void,
    counters: Float64Array,
    awaitMessage: () => void,
  ) {
    this.#send = send;
    this.#meter = new CostMeter(counters);
    this.#awaitMessage = awaitMessage;
  }

  /** A file that is as it was. */
  unchanged(state: DirectoryState, index: number): void {
    this.#add("unchanged", pathOf(state, index), noCost);
  }

  /** A file that was in the previous run will be read. */
  expectChange(state: DirectoryState, index: number): void {
    const known = this.#known.get(state) ?? new Set();
    this.#known.set(state, known.add(index));
  }

  /** A file was read; undefined `cost`: it could not be, and is in no snapshot. */
  read(state: DirectoryState, index: number, cost: Readonly<Cost> | undefined): void {
    const known = this.#known.get(state);
    const wasKnown = known?.delete(index) === true;
    if (known?.size === 0) this.#known.delete(state);
    if (cost !== undefined) this.#add(wasKnown ? "modified" : "new", pathOf(state, index), cost);
  }

  /** A folder is about to be saved. */
  startFolder(): void {
    this.#meter.start();
  }

  /** It is saved. */
  folder(action: EntryAction, state: DirectoryState): void {
    const cost = action === "unchanged" ? noCost : this.#meter.stop();
    // The root of a snapshot has no name.
    if (state.parent !== undefined)
      this.#add(action, joinPath(inSnapshot(state.path), nothing), cost);
  }

  /** The main thread has taken a lot. */
  taken(): void {
    this.#lotsUnderWay -= 1;
  }

  /** Sends what is gathered. To be called before the scan waits for anything else. */
  flush(): void {
    if (this.#lot.length === 0) return;
    while (this.#lotsUnderWay >= lotsMax) this.#awaitMessage();
    const entries = this.#lot;
    this.#lot = [];
    this.#lotsUnderWay += 1;
    this.#send({ kind: "entries", entries });
  }

  #add(action: EntryAction, path: Uint8Array, cost: Readonly<Cost>): void {
    this.#lot.push({ action, path, ...cost });
    if (this.#lot.length >= lotEntries) this.flush();
  }
}

function pathOf(state: DirectoryState, index: number): Uint8Array {
  return joinPath(inSnapshot(state.path), state.nameOf(index));
}

/** Relative paths begin with a dot, which no snapshot has. */
function inSnapshot(path: Uint8Array): Uint8Array {
  if (path[0] !== dot) return path;
  return path.length === 1 ? Uint8Array.of(slash) : path.subarray(1);
}
