/** Verifies packs in the memory of one thread, and examines the trees in them. */
import type { Codec, RunningSha256, SealCipher } from "../../../platform/ports/codec.ts";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import { BlobOpener, describeBlobProblem } from "../../repository/blob/blob-opener.ts";
import type { MasterKey } from "../../repository/crypto/master-key.ts";
import { Sealer } from "../../repository/crypto/sealed-bytes.ts";
import { idToHex } from "../../repository/id.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import { packHeaderOf, type ReadPackHeader } from "../../repository/pack/pack-reader.ts";
import type { BlobBits } from "../trees/blob-bits.ts";
import { TreeRecorder } from "../trees/tree-records.ts";
import {
  type BadBlob,
  largeBlobBytesMin,
  placeNumbers,
  type WholeAnswer,
  type WholeJob,
  type WindowAnswer,
  type WindowJob,
} from "./check-messages.ts";
import { useLargeBlob } from "./large-blob.ts";

export class PackVerifier {
  readonly #codec: Codec;
  readonly #sealer: Sealer;
  readonly #cipher: SealCipher;
  readonly #opener: BlobOpener;
  readonly #trees: TreeRecorder;
  readonly #digest = new Uint8Array(32);
  readonly #running = new Map<number, RunningSha256>();

  constructor(codec: Codec, key: MasterKey, table: BlobTable) {
    this.#codec = codec;
    this.#sealer = new Sealer(key, codec);
    this.#cipher = this.#sealer.cipher;
    this.#opener = new BlobOpener(codec, key);
    this.#trees = new TreeRecorder(table);
  }

  lookForHurt(hurt: BlobBits): void {
    this.#trees.lookForHurt(hurt);
  }

  /** Verifies a pack of no large blobs. */
  verifyWhole(job: WholeJob): WholeAnswer {
    const isSound = this.#isSound(job);
    return { kind: "whole", isSound, trees: this.#trees.take() };
  }

  #isSound({ bytes, id, headerDigest, onlyTrees }: WholeJob): boolean {
    if (!onlyTrees && !this.#hasDigest(bytes, id)) return false;
    const header = this.#readHeader(bytes, idToHex(id));
    if (header === undefined) return false;
    if (!this.#hasDigest(header.header, headerDigest)) return false;
    for (const { id: blob, isTree, offset, length, plainLength } of header.blobs) {
      if (onlyTrees && !isTree) continue;
      const opened = this.#opener.tryOpen(bytes, offset, length, plainLength, blob, 0);
      if (typeof opened === "string") return false;
      if (isTree) this.#trees.examine(blob, 0, opened);
    }
    return true;
  }

  #readHeader(bytes: Uint8Array, id: string): ReadPackHeader | undefined {
    try {
      return packHeaderOf(this.#sealer, bytes, id);
    } catch (error) {
      if (isBackstayError(error, "REPOSITORY_DAMAGED")) return undefined;
      throw error;
    }
  }

  #hasDigest(bytes: Uint8Array, expected: Uint8Array): boolean {
    this.#codec.sha256(bytes, 0, bytes.length, this.#digest, 0);
    return Buffer.compare(this.#digest, expected) === 0;
  }

  /** Opens every blob of a piece of a pack. */
  verifyWindow(job: WindowJob): WindowAnswer {
    // Before any blob is opened: the bytes must still be as they were stored.
    const digest = this.#runDigest(job);
    const badBlobs: BadBlob[] = [];
    const blobs = job.ids.length / 32;
    for (let place = 0; place < blobs; place += 1) {
      const problem = this.#openBlob(job, place);
      if (problem !== undefined) badBlobs.push({ place, problem });
    }
    return { kind: "window", badBlobs, trees: this.#trees.take(), digest };
  }

  #runDigest({ stream, bytes, digestFrom, isLast }: WindowJob): Uint8Array | undefined {
    if (digestFrom === undefined) return undefined;
    const running = this.#running.get(stream) ?? this.#codec.startSha256();
    running.update(bytes, digestFrom, bytes.length - digestFrom);
    if (!isLast) {
      this.#running.set(stream, running);
      return undefined;
    }
    this.#running.delete(stream);
    const digest = new Uint8Array(32);
    running.finish(digest, 0);
    return digest;
  }

  #openBlob({ bytes, ids, places }: WindowJob, place: number): string | undefined {
    const at = place * placeNumbers;
    const [offset, length, plainLength] = [places[at], places[at + 1], places[at + 2]];
    const isTree = places[at + 3] !== 0;
    const idOffset = place * 32;
    const use = (plain: Uint8Array): void => {
      if (isTree) this.#trees.examine(ids, idOffset, plain);
    };
    if (Math.max(length, plainLength) > largeBlobBytesMin) {
      const blob = { bytes, offset, length, plainLength, ids, idOffset };
      const problem = useLargeBlob(this.#codec, this.#cipher, blob, use);
      return problem === undefined ? undefined : describeBlobProblem(problem);
    }
    const opened = this.#opener.tryOpen(bytes, offset, length, plainLength, ids, idOffset);
    if (typeof opened === "string") return describeBlobProblem(opened);
    use(opened);
    return undefined;
  }
}
