/** What the main thread and restore workers tell each other. */

import type { DirectoryToken } from "../../../platform/ports/source-files.ts";
import type { SharedBlobTable } from "../../repository/index/blob-table.ts";
import type { SharedPlan } from "../plan/restore-plan.ts";
import type { SharedPartSlots } from "./part-slots.ts";
import type { WorkSettings } from "./work-context.ts";
import type { JobIssues } from "./work-issues.ts";

/** Given to a worker when it starts. */
export interface WorkStart {
  /** Number of the worker, from 0. */
  readonly worker: number;
  readonly plan: SharedPlan;
  readonly blobs: SharedBlobTable;
  /** Bytes of the master key. */
  readonly key: Uint8Array;
  readonly root: DirectoryToken;
  readonly settings: WorkSettings;
  readonly counters: SharedArrayBuffer;
  /** An Int32 that is not 0 once the restore is to stop. */
  readonly cancelled: SharedArrayBuffer;
}

/** Rows `[from, to)`, or for blobs: places `[from, to)` of the order of refs. */
interface Span {
  readonly from: number;
  readonly to: number;
}

export type WorkJob =
  | { readonly kind: "directories" }
  | ({
      readonly kind: "inspect" | "entries" | "links" | "finish-directories" | "verify";
    } & Span)
  /** Given to every worker before blobs are. */
  | {
      readonly kind: "prepare-blobs";
      readonly order: SharedArrayBuffer;
      readonly slots: SharedPartSlots;
    }
  /** `bytes` begin at `packOffset` of the pack. */
  | ({
      readonly kind: "sealed-blobs";
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly packOffset: number;
    } & Span)
  /** One blob that was loaded, opened and checked by itself. */
  | ({ readonly kind: "plain-blob"; readonly bytes: Uint8Array<ArrayBuffer> } & Span)
  | ({ readonly kind: "lost-blobs"; readonly reason: string } & Span);

export interface WorkAnswer {
  readonly issues: JobIssues;
  /** Pairs of places in the order: blobs that could not be opened. Nothing was written for them. */
  readonly unopened: readonly number[];
  /** Row at which the target was full. */
  readonly fullAt: number | undefined;
}
