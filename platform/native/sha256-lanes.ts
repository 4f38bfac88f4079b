/**
 * SHA-256 of two streams at once. A processor with SHA instructions waits for its own results most of the time when it
 * hashes one stream; OpenSSL has a routine, meant for TLS records, that fills the wait with a second one.
 *
 * The routine takes whole blocks, so partial blocks and the padding (FIPS 180-4) are made here. It is used only if it
 * gives right digests and is faster on this processor: without SHA instructions it is made for more streams than two.
 */
import { assertWithin, type RunningSha256 } from "../ports/codec.ts";
import { BufferAddresses } from "./buffer-address.ts";
import type { NodeExports } from "./node-exports.ts";

const blockBytes = 64;
const digestBytes = 32;
/** The first 32 bits of the fractional parts of the square roots of the first eight primes. */
const initialState = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];
/** Lanes of the routine's memory; the others stay empty. */
const lanes = 8;
/** Layout of the scratch memory: states by word and lane, pointer and block count of four lanes, one state, last blocks. */
const at = { states: 0, inputs: 256, state: 320, tail: 384, end: 512 } as const;
const inputBytes = 16;
const inputLanes = 4;

/** How much faster than one after the other it must be. */
const gainMin = 1.3;
const trialBytes = 32 * 1024;
const trials = 5;

type Call = (...args: number[]) => number;

export class Sha256Lanes {
  readonly #blocks: Call;
  readonly #lanes: Call;
  readonly #addresses: BufferAddresses;
  /** Keeps the memory alive. */
  readonly #memory: Uint8Array;
  readonly #words: Uint32Array;
  readonly #base: number;

  private constructor(blocks: Call, laned: Call, addresses: BufferAddresses) {
    this.#blocks = blocks;
    this.#lanes = laned;
    this.#addresses = addresses;
    const memory = new Uint8Array(at.end + blockBytes);
    // Its own cache entry: the address must stay known whatever buffers pass through the shared one.
    const address = new BufferAddresses().of(memory, 0);
    const skip = (blockBytes - (address % blockBytes)) % blockBytes;
    this.#memory = memory.subarray(skip, skip + at.end);
    this.#words = new Uint32Array(memory.buffer, skip, at.end / 4);
    this.#base = address + skip;
  }

  /** Undefined where the routine is not there, wrong, or no gain. */
  static open(exports: NodeExports, addresses: BufferAddresses): Sha256Lanes | undefined {
    const { sha256Blocks, sha256Lanes } = exports;
    if (sha256Blocks === undefined || sha256Lanes === undefined) return undefined;
    const opened = new Sha256Lanes(sha256Blocks, sha256Lanes, addresses);
    return opened.#isRight(exports) && opened.#gain(exports) >= gainMin ? opened : undefined;
  }

  /** A running digest. Running digests of one thread may be used in any order. */
  start(): RunningSha256 {
    return new LanedSha256(this, this.#addresses);
  }

  /** Takes a state over whole blocks. */
  single(state: Uint32Array, source: number, blocks: number): void {
    if (blocks === 0) return;
    this.#words.set(state, at.state / 4);
    this.#blocks(this.#base + at.state, source, blocks);
    for (let word = 0; word < 8; word += 1) state[word] = this.#words[at.state / 4 + word];
  }

  /** Takes a state over one block of any memory. */
  block(state: Uint32Array, bytes: Uint8Array): void {
    this.#memory.set(bytes, at.tail);
    this.single(state, this.#base + at.tail, 1);
  }

  /** Takes two states over whole blocks of two sources. */
  both(
    first: Uint32Array,
    firstSource: number,
    firstBlocks: number,
    second: Uint32Array,
    secondSource: number,
    secondBlocks: number,
  ): void {
    const words = this.#words;
    for (let word = 0; word < 8; word += 1) {
      words[word * lanes] = first[word];
      words[word * lanes + 1] = second[word];
    }
    this.#setInput(0, firstSource, firstBlocks);
    this.#setInput(1, secondSource, secondBlocks);
    for (let lane = 2; lane < inputLanes; lane += 1) this.#setInput(lane, 0, 0);
    this.#lanes(this.#base, this.#base + at.inputs, 1);
    for (let word = 0; word < 8; word += 1) {
      first[word] = words[word * lanes];
      second[word] = words[word * lanes + 1];
    }
  }

  /** Ends a message of `length` bytes: its last, partial block is `bytes[offset, offset + length % 64)`. */
  close(
    state: Uint32Array,
    bytes: Uint8Array,
    offset: number,
    length: number,
    out: Uint8Array,
    outOffset: number,
  ): void {
    const memory = this.#memory;
    const rest = length % blockBytes;
    for (let i = 0; i < rest; i += 1) memory[at.tail + i] = bytes[offset + i];
    const blocks = rest < blockBytes - 8 ? 1 : 2;
    const end = at.tail + blocks * blockBytes;
    memory[at.tail + rest] = 0x80;
    memory.fill(0, at.tail + rest + 1, end - 8);
    writeBig(memory, end - 8, Math.floor(length / 2 ** 29));
    writeBig(memory, end - 4, (length % 2 ** 29) * 8);
    this.single(state, this.#base + at.tail, blocks);
    for (let word = 0; word < 8; word += 1) writeBig(out, outOffset + word * 4, state[word]);
  }

  #setInput(lane: number, source: number, blocks: number): void {
    const word = (at.inputs + lane * inputBytes) / 4;
    this.#words[word] = source % 2 ** 32;
    this.#words[word + 1] = source / 2 ** 32;
    this.#words[word + 2] = blocks;
  }

  /** Compares with OpenSSL's own digests, for pairs of lengths around the block. */
  #isRight(exports: NodeExports): boolean {
    const bytes = Uint8Array.from({ length: 400 }, (_, i) => (i * i) >> 3);
    const [expected, found] = [new Uint8Array(digestBytes), new Uint8Array(digestBytes)];
    const isDigest = (length: number): boolean => {
      exports.sha256(this.#addresses.of(bytes, 0), length, this.#addresses.of(expected, 0));
      return Buffer.compare(found, expected) === 0;
    };
    for (const length of [0, 1, 55, 56, 63, 64, 65, 128, 400])
      for (const otherLength of [0, 64, 119, 300, 400]) {
        const running = this.start();
        running.updateBeside(bytes, 0, length, bytes, 0, otherLength, found, 0);
        if (!isDigest(otherLength)) return false;
        running.finish(found, 0);
        if (!isDigest(length)) return false;
      }
    return true;
  }

  /** Time of two streams one after the other, as a multiple of their time together. */
  #gain(exports: NodeExports): number {
    const bytes = new Uint8Array(2 * trialBytes);
    const out = new Uint8Array(digestBytes);
    const source = this.#addresses.of(bytes, 0);
    const target = this.#addresses.of(out, 0);
    const state = Uint32Array.from(initialState);
    const other = Uint32Array.from(initialState);
    const blocks = trialBytes / blockBytes;
    const together = fastest(() =>
      this.both(state, source, blocks, other, source + trialBytes, blocks),
    );
    const oneByOne = fastest(() => {
      exports.sha256(source, trialBytes, target);
      exports.sha256(source + trialBytes, trialBytes, target);
    });
    return oneByOne / together;
  }
}

/** A running digest that can take another message along. */
class LanedSha256 implements RunningSha256 {
  readonly #lanes: Sha256Lanes;
  readonly #addresses: BufferAddresses;
  readonly #state = Uint32Array.from(initialState);
  readonly #other = new Uint32Array(8);
  /** Bytes that do not fill a block yet. */
  readonly #partial = new Uint8Array(blockBytes);
  #length = 0;

  constructor(lanes: Sha256Lanes, addresses: BufferAddresses) {
    this.#lanes = lanes;
    this.#addresses = addresses;
  }

  update(src: Uint8Array, offset: number, length: number): void {
    assertWithin(src, offset, length);
    const taken = this.#fillPartial(src, offset, length);
    const blocks = Math.floor((length - taken) / blockBytes);
    this.#lanes.single(this.#state, this.#addresses.of(src, offset + taken), blocks);
    this.#keepRest(src, offset + taken, offset + length);
  }

  updateBeside(
    src: Uint8Array,
    offset: number,
    length: number,
    other: Uint8Array,
    otherOffset: number,
    otherLength: number,
    out: Uint8Array,
    outOffset: number,
  ): void {
    assertWithin(src, offset, length);
    assertWithin(other, otherOffset, otherLength);
    assertWithin(out, outOffset, digestBytes);
    const taken = this.#fillPartial(src, offset, length);
    const blocks = Math.floor((length - taken) / blockBytes);
    const otherBlocks = Math.floor(otherLength / blockBytes);
    this.#other.set(initialState);
    this.#lanes.both(
      this.#state,
      this.#addresses.of(src, offset + taken),
      blocks,
      this.#other,
      this.#addresses.of(other, otherOffset),
      otherBlocks,
    );
    const otherEnd = otherOffset + otherBlocks * blockBytes;
    this.#lanes.close(this.#other, other, otherEnd, otherLength, out, outOffset);
    this.#keepRest(src, offset + taken, offset + length);
  }

  finish(out: Uint8Array, outOffset: number): void {
    assertWithin(out, outOffset, digestBytes);
    this.#lanes.close(this.#state, this.#partial, 0, this.#length, out, outOffset);
  }

  /** Completes the block that was begun, as far as the bytes go; returns how many it took. */
  #fillPartial(src: Uint8Array, offset: number, length: number): number {
    const filled = this.#length % blockBytes;
    if (filled === 0) return 0;
    const taken = Math.min(length, blockBytes - filled);
    for (let i = 0; i < taken; i += 1) this.#partial[filled + i] = src[offset + i];
    this.#length += taken;
    if (filled + taken === blockBytes) this.#lanes.block(this.#state, this.#partial);
    return taken;
  }

  /** Keeps the bytes of `src[start, end)` that follow its last whole block, and counts all of them. */
  #keepRest(src: Uint8Array, start: number, end: number): void {
    const rest = (end - start) % blockBytes;
    // Fewer than were needed to fill a block that was begun leave nothing here.
    for (let i = 0; i < rest; i += 1) this.#partial[i] = src[end - rest + i];
    this.#length += end - start;
  }
}

function writeBig(bytes: Uint8Array, offset: number, word: number): void {
  bytes[offset] = word >>> 24;
  bytes[offset + 1] = word >>> 16;
  bytes[offset + 2] = word >>> 8;
  bytes[offset + 3] = word;
}

/** The shortest of some runs, ms: others may interrupt any of them. */
function fastest(run: () => void): number {
  let shortestMs = Number.POSITIVE_INFINITY;
  for (let trial = 0; trial < trials; trial += 1) {
    const startMs = performance.now();
    run();
    shortestMs = Math.min(shortestMs, performance.now() - startMs);
  }
  return shortestMs;
}
