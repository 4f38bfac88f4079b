/** Does the jobs of one restore worker. Knows nothing of threads, so that tests can run it in their own. */

import type { Codec } from "../../../platform/ports/codec.ts";
import type { TargetFiles, TargetHandle } from "../../../platform/ports/target-files.ts";
import {
  BlobOpener,
  type BlobProblem,
  type SealedBlob,
} from "../../repository/blob/blob-opener.ts";
import { masterKeyFromBytes } from "../../repository/crypto/master-key.ts";
import { BlobTable } from "../../repository/index/blob-table.ts";
import { RestorePlan, rowFlag, rowKind, rowState } from "../plan/restore-plan.ts";
import { BlobPlacer } from "./blob-placer.ts";
import { ContentVerifier } from "./content-verifier.ts";
import { DirectoryMaker } from "./directory-maker.ts";
import { EntryInspector } from "./entry-inspector.ts";
import { EntryMaker } from "./entry-maker.ts";
import { EntryMetadata } from "./entry-metadata.ts";
import { FileOpener } from "./file-opener.ts";
import { PartSlots } from "./part-slots.ts";
import { TargetDirectories } from "./target-directories.ts";
import { type WorkContext, WorkCounters } from "./work-context.ts";
import { TargetFullError, WorkIssues } from "./work-issues.ts";
import type { WorkAnswer, WorkJob, WorkStart } from "./work-messages.ts";

type BlobsJob = Extract<WorkJob, { kind: "sealed-blobs" }>;

/** A blob and the places of the order that it goes to. */
interface BlobPlaces extends SealedBlob {
  readonly from: number;
  readonly to: number;
}

export class RestoreWork {
  readonly #context: WorkContext;
  readonly #root: TargetHandle;
  readonly #directories: DirectoryMaker;
  readonly #inspector: EntryInspector;
  readonly #placer: BlobPlacer;
  readonly #maker: EntryMaker;
  readonly #verifier: ContentVerifier;
  #order: Uint32Array = new Uint32Array(0);

  constructor(start: WorkStart, files: TargetFiles, codec: Codec) {
    const plan = RestorePlan.attach(start.plan);
    const cancelled = new Int32Array(start.cancelled);
    this.#root = files.openToken(start.root);
    const context: WorkContext = {
      files,
      plan,
      blobs: BlobTable.attach(start.blobs),
      opener: new BlobOpener(codec, masterKeyFromBytes(start.key)),
      secondOpener: new BlobOpener(codec, masterKeyFromBytes(start.key)),
      directories: new TargetDirectories(files, plan, this.#root),
      issues: new WorkIssues(plan),
      settings: start.settings,
      counters: new WorkCounters(start.counters, start.worker),
      slots: PartSlots.create([], []),
      isCancelled: () => Atomics.load(cancelled, 0) !== 0,
    };
    const metadata = new EntryMetadata(context);
    const opener = new FileOpener(context);
    this.#context = context;
    this.#directories = new DirectoryMaker(context, metadata);
    this.#inspector = new EntryInspector(context, metadata, opener);
    this.#placer = new BlobPlacer(context, metadata, opener);
    this.#maker = new EntryMaker(context, metadata, opener);
    this.#verifier = new ContentVerifier(context);
  }

  /** Does one job to its end. Throws only where Backstay itself is wrong. */
  run(job: WorkJob): WorkAnswer {
    const unopened: number[] = [];
    let fullAt: number | undefined;
    try {
      this.#do(job, unopened);
    } catch (error) {
      if (!(error instanceof TargetFullError)) throw error;
      fullAt = error.row;
    }
    return { issues: this.#context.issues.take(), unopened, fullAt };
  }

  /** Gives back all descriptors. */
  close(): void {
    this.#placer.release(true);
    this.#context.directories.close();
    this.#context.files.close(this.#root);
  }

  #do(job: WorkJob, unopened: number[]): void {
    switch (job.kind) {
      case "directories":
        this.#directories.makeAll();
        return;
      case "inspect":
        this.#inspect(job.from, job.to);
        return;
      case "prepare-blobs":
        this.#order = new Uint32Array(job.order);
        this.#context.slots = PartSlots.attach(job.slots);
        return;
      case "sealed-blobs":
        this.#placeSealed(job, unopened);
        return;
      case "plain-blob":
        this.#place(job.from, job.to, job.bytes);
        this.#placer.release(false);
        return;
      case "lost-blobs":
        for (let at = job.from; at < job.to; at += 1)
          this.#placer.lose(this.#order[at], job.reason);
        this.#placer.release(false);
        return;
      case "entries":
        this.#placer.release(true);
        this.#maker.makeEntries(job.from, job.to);
        return;
      case "links":
        this.#maker.makeLinks(job.from, job.to);
        return;
      case "finish-directories":
        this.#directories.finish(job.from, job.to);
        return;
      case "verify":
        this.#verifier.verify(job.from, job.to);
    }
  }

  #inspect(from: number, to: number): void {
    const { plan, isCancelled } = this.#context;
    for (let row = from; row < to; row += 1) {
      if (isCancelled()) return;
      if (plan.kindOf(row) === rowKind.directory || !plan.hasFlag(row, rowFlag.selected)) continue;
      if (plan.stateOf(row) === rowState.pending) this.#inspector.inspect(row);
    }
  }

  #placeSealed(job: BlobsJob, unopened: number[]): void {
    const { opener, secondOpener, isCancelled } = this.#context;
    const take = (opened: Uint8Array | BlobProblem, { from, to }: BlobPlaces): void => {
      if (typeof opened === "string") unopened.push(from, to);
      else this.#place(from, to, opened);
    };
    for (let from = job.from; from < job.to && !isCancelled(); ) {
      const first = this.#placesFrom(from, job);
      const second = first.to < job.to ? this.#placesFrom(first.to, job) : undefined;
      if (second === undefined) {
        const { offset, storedLength, plainLength, id } = first;
        take(opener.tryOpen(job.bytes, offset, storedLength, plainLength, id, 0), first);
      } else {
        const [one, two] = opener.tryOpenBoth(job.bytes, first, secondOpener, second);
        take(one, first);
        take(two, second);
      }
      from = (second ?? first).to;
    }
    // Frees the memory now: the collector would wait until it thinks it worth while.
    job.bytes.buffer.transfer(0);
    this.#placer.release(false);
  }

  /** The blob at place `from` of the order, and all places that it goes to. */
  #placesFrom(from: number, job: BlobsJob): BlobPlaces {
    const { plan, blobs } = this.#context;
    const order = this.#order;
    const entry = plan.entryOf(order[from]);
    let to = from + 1;
    while (to < job.to && plan.entryOf(order[to]) === entry) to += 1;
    const id = new Uint8Array(32);
    blobs.copyId(entry, id, 0);
    return {
      from,
      to,
      id,
      offset: blobs.offsetOf(entry) - job.packOffset,
      storedLength: blobs.storedLengthOf(entry),
      plainLength: blobs.isCompressed(entry) ? blobs.plainLengthOf(entry) : 0,
    };
  }

  #place(from: number, to: number, plain: Uint8Array): void {
    for (let at = from; at < to; at += 1) this.#placer.place(this.#order[at], plain, plain.length);
  }
}
