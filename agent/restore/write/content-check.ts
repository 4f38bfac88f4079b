/** Compares what a file of the target holds with the blobs that it should consist of. */

import type { Codec } from "../../../platform/ports/codec.ts";
import type { TargetFiles, TargetHandle } from "../../../platform/ports/target-files.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import { missingEntry, type RestorePlan } from "../plan/restore-plan.ts";
import type { WorkContext } from "./work-context.ts";

const bufferBytes = 1024 * 1024;

/** One per thread. */
export class ContentCheck {
  readonly #files: TargetFiles;
  readonly #plan: RestorePlan;
  readonly #blobs: BlobTable;
  readonly #codec: Codec;
  readonly #isCancelled: () => boolean;
  readonly #expected = new Uint8Array(32);
  readonly #digest = new Uint8Array(32);
  #buffer = new Uint8Array(0);

  constructor(context: WorkContext) {
    this.#files = context.files;
    this.#plan = context.plan;
    this.#blobs = context.blobs;
    this.#codec = context.opener.codec;
    this.#isCancelled = context.isCancelled;
  }

  /**
   * Reads the file and tells `report` of each blob of `row`, in order, whether its bytes are in place. Stops,
   * returning false, where `report` returns false or the restore is cancelled. Throws FileError.
   */
  compare(
    row: number,
    file: TargetHandle,
    fileSize: number,
    report: (ref: number, isRight: boolean) => boolean,
  ): boolean {
    const plan = this.#plan;
    const first = plan.firstOf(row);
    const end = first + plan.countOf(row);
    if (this.#buffer.length === 0) this.#buffer = new Uint8Array(bufferBytes);
    for (let ref = first; ref < end; ref += 1) {
      if (this.#isCancelled()) return false;
      if (!report(ref, this.#isRight(ref, file, fileSize))) return false;
    }
    return true;
  }

  #isRight(ref: number, file: TargetHandle, fileSize: number): boolean {
    const entry = this.#plan.entryOf(ref);
    if (entry === missingEntry) return false;
    const length = this.#blobs.plainLengthOf(entry);
    const offset = this.#plan.offsetOf(ref);
    if (offset + length > fileSize) return false;
    if (!this.#hash(file, offset, length)) return false;
    this.#blobs.copyId(entry, this.#expected, 0);
    for (let i = 0; i < 32; i += 1) if (this.#digest[i] !== this.#expected[i]) return false;
    return true;
  }

  /** False if the file ends before its bytes do. */
  #hash(file: TargetHandle, offset: number, length: number): boolean {
    const buffer = this.#buffer;
    if (length <= bufferBytes) {
      if (this.#files.read(file, buffer, 0, length, offset) < length) return false;
      this.#codec.sha256(buffer, 0, length, this.#digest, 0);
      return true;
    }
    const running = this.#codec.startSha256();
    let isWhole = true;
    for (let done = 0; done < length && isWhole; ) {
      const piece = Math.min(bufferBytes, length - done);
      isWhole = this.#files.read(file, buffer, 0, piece, offset + done) === piece;
      running.update(buffer, 0, piece);
      done += piece;
    }
    running.finish(this.#digest, 0);
    return isWhole;
  }
}
