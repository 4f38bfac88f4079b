/** Verifies packs in the memory of one thread, and examines the trees in them. */
import type { Codec, RunningSha256 } from "../../../platform/ports/codec.ts";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import {
  BlobOpener,
  type BlobProblem,
  describeBlobProblem,
  isLargeBlob,
} from "../../repository/blob/blob-opener.ts";
import type { MasterKey } from "../../repository/crypto/master-key.ts";
import { Sealer } from "../../repository/crypto/sealed-bytes.ts";
import { idToHex } from "../../repository/id.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import { packHeaderOf, type ReadPackHeader } from "../../repository/pack/pack-reader.ts";
import type { BlobBits } from "../trees/blob-bits.ts";
import { TreeRecorder } from "../trees/tree-records.ts";
import {
  type BadBlob,
  placeNumbers,
  type WholeAnswer,
  type WholeJob,
  type WindowAnswer,
  type WindowJob,
} from "./check-messages.ts";

/** What SHA-256 takes at a time. */
const blockBytes = 64;

/** Where a sealed blob lies, and what it must be. */
interface StoredBlob {
  readonly offset: number;
  readonly length: number;
  /** 0 if it is stored plain. */
  readonly plainLength: number;
  readonly isTree: boolean;
}

export class PackVerifier {
  readonly #codec: Codec;
  readonly #sealer: Sealer;
  readonly #opener: BlobOpener;
  readonly #trees: TreeRecorder;
  readonly #digest = new Uint8Array(32);
  readonly #streams = new Map<number, RunningSha256>();

  constructor(codec: Codec, key: MasterKey, table: BlobTable) {
    this.#codec = codec;
    this.#sealer = new Sealer(key, codec);
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

  /** Opens every blob of a piece of a pack. */
  verifyWindow(job: WindowJob): WindowAnswer {
    const progress = this.#resume(job);
    const badBlobs: BadBlob[] = [];
    const { bytes, ids, places } = job;
    for (let place = 0; place < ids.length / 32; place += 1) {
      const [offset, length, plainLength, isTree] = places.subarray(place * placeNumbers);
      const at = { offset, length, plainLength, isTree: isTree !== 0 };
      const problem = this.#openBlob(bytes, at, ids, place * 32, progress);
      if (problem !== undefined) badBlobs.push({ place, problem: describeBlobProblem(problem) });
    }
    const digest = progress === undefined ? undefined : this.#pause(job, progress);
    return { kind: "window", badBlobs, trees: this.#trees.take(), digest };
  }

  #isSound({ bytes, id, headerDigest, onlyTrees }: WholeJob): boolean {
    const header = this.#readHeader(bytes, idToHex(id));
    if (header === undefined) return false;
    this.#codec.sha256(header.header, 0, header.header.length, this.#digest, 0);
    if (!this.#isDigest(headerDigest, 0)) return false;
    const progress = onlyTrees
      ? undefined
      : new DigestProgress(this.#codec.startSha256(), bytes, 0);
    for (const blob of header.blobs) {
      if (onlyTrees && !blob.isTree) continue;
      if (this.#openBlob(bytes, blob, blob.id, 0, progress) !== undefined) return false;
    }
    if (progress === undefined) return true;
    progress.takeAll();
    progress.running.finish(this.#digest, 0);
    return this.#isDigest(id, 0);
  }

  /**
   * Decodes a blob, compares it with its id and examines it if it is a tree; returns what is wrong. The digest of the
   * pack is taken as far as the blob goes in the same breath.
   */
  #openBlob(
    bytes: Uint8Array,
    blob: StoredBlob,
    ids: Uint8Array,
    idOffset: number,
    progress: DigestProgress | undefined,
  ): BlobProblem | undefined {
    const { offset, length, plainLength, isTree } = blob;
    if (isLargeBlob(length, plainLength)) return this.#openLarge(bytes, blob, ids, idOffset);
    const plain = this.#opener.decode(bytes, offset, length, plainLength);
    if (typeof plain === "string") return plain;
    const end = offset + length;
    if (progress !== undefined && progress.taken < end)
      progress.takeBeside(end, plain, plain.length, this.#digest);
    else this.#codec.sha256(plain, 0, plain.length, this.#digest, 0);
    if (!this.#isDigest(ids, idOffset)) return "content";
    if (isTree) this.#trees.examine(ids, idOffset, plain);
    return undefined;
  }

  /** The same for a large blob: trees are held whole, data are not. */
  #openLarge(
    bytes: Uint8Array,
    { offset, length, plainLength, isTree }: StoredBlob,
    ids: Uint8Array,
    idOffset: number,
  ): BlobProblem | undefined {
    const opener = this.#opener;
    if (!isTree) return opener.verify(bytes, offset, length, plainLength, ids, idOffset);
    const plain = opener.tryOpen(bytes, offset, length, plainLength, ids, idOffset);
    if (typeof plain === "string") return plain;
    this.#trees.examine(ids, idOffset, plain);
    // Now, not when the collector comes by.
    (plain.buffer as ArrayBuffer).transfer(0);
    return undefined;
  }

  #isDigest(expected: Uint8Array, offset: number): boolean {
    for (let i = 0; i < 32; i += 1) if (this.#digest[i] !== expected[offset + i]) return false;
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

  #resume({ stream, bytes, digestFrom }: WindowJob): DigestProgress | undefined {
    if (digestFrom === undefined) return undefined;
    const running = this.#streams.get(stream) ?? this.#codec.startSha256();
    return new DigestProgress(running, bytes, digestFrom);
  }

  #pause({ stream, isLast }: WindowJob, progress: DigestProgress): Uint8Array | undefined {
    progress.takeAll();
    if (!isLast) {
      this.#streams.set(stream, progress.running);
      return undefined;
    }
    this.#streams.delete(stream);
    const digest = new Uint8Array(32);
    progress.running.finish(digest, 0);
    return digest;
  }
}

/** How far the digest of a pack has come in a piece of it. */
class DigestProgress {
  readonly running: RunningSha256;
  readonly #bytes: Uint8Array;
  taken: number;

  constructor(running: RunningSha256, bytes: Uint8Array, taken: number) {
    this.running = running;
    this.#bytes = bytes;
    this.taken = taken;
  }

  /** Goes on to about `end` and computes the SHA-256 of `other[0, otherLength)` at the same time. */
  takeBeside(end: number, other: Uint8Array, otherLength: number, out: Uint8Array): void {
    // Whole blocks only: a block that is begun must be completed by a call of its own.
    const length = Math.floor((end - this.taken) / blockBytes) * blockBytes;
    this.running.updateBeside(this.#bytes, this.taken, length, other, 0, otherLength, out, 0);
    this.taken += length;
  }

  takeAll(): void {
    this.running.update(this.#bytes, this.taken, this.#bytes.length - this.taken);
    this.taken = this.#bytes.length;
  }
}
