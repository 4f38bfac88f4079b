/** zstd frames made and read piece by piece, with contexts that live as long as one stream. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  assertWithin,
  type RunningCompressor,
  type RunningDecompressor,
  streamWindowLogMax,
  type TakeBytes,
} from "../ports/codec.ts";
import { BufferAddresses } from "./buffer-address.ts";
import type { NodeExports } from "./node-exports.ts";

const pieceBytes = 256 * 1024;
/** Parameters and directives of zstd.h. */
const zstd = { compressionLevel: 100, decoderWindowLogMax: 100, goOn: 0, end: 2 } as const;

/** Words of 32 bits of a ZSTD_outBuffer followed by a ZSTD_inBuffer: address, size and position of each. */
const wordAt = { out: 0, outSize: 2, outUsed: 4, in: 6, inSize: 8, inUsed: 10, end: 12 } as const;
const pieceAt = 64;

/** What both directions share: a piece of memory for what comes out, and zstd's two descriptions of buffers. */
class StreamMemory {
  /** What comes out is `bytes[pieceAt, pieceAt + produced)`. */
  readonly bytes = new Uint8Array(pieceAt + pieceBytes);
  readonly #words = new Uint32Array(this.bytes.buffer, 0, wordAt.end);
  readonly outAddress = new BufferAddresses().of(this.bytes, 0);
  readonly inAddress = this.outAddress + wordAt.in * 4;

  constructor() {
    this.#put(wordAt.out, this.outAddress + pieceAt);
    this.#words[wordAt.outSize] = pieceBytes;
  }

  setInput(address: number, length: number): void {
    this.#put(wordAt.in, address);
    this.#words[wordAt.inSize] = length;
    this.#words[wordAt.inUsed] = 0;
  }

  get taken(): number {
    return this.#words[wordAt.inUsed];
  }

  get produced(): number {
    return this.#words[wordAt.outUsed];
  }

  get isFull(): boolean {
    return this.produced === pieceBytes;
  }

  /** Hands over what was produced. */
  drain(take: TakeBytes): void {
    const { produced } = this;
    this.#words[wordAt.outUsed] = 0;
    if (produced > 0) take(this.bytes, pieceAt, produced);
  }

  #put(word: number, value: number): void {
    this.#words[word] = value % 4294967296;
    this.#words[word + 1] = Math.floor(value / 4294967296);
  }
}

export class ZstdStreams {
  readonly #exports: NodeExports;
  readonly #addresses: BufferAddresses;
  /** Contexts of streams that nobody finished. */
  readonly #abandoned = new FinalizationRegistry<() => void>((free) => free());

  constructor(exports: NodeExports, addresses: BufferAddresses) {
    this.#exports = exports;
    this.#addresses = addresses;
  }

  startCompress(level: number, onFrame: TakeBytes): RunningCompressor {
    const { createCompressor, setCompressor, compressStream, freeCompressor } = this.#exports;
    const addresses = this.#addresses;
    const context = createCompressor();
    const memory = new StreamMemory();
    assertDone(setCompressor(context, zstd.compressionLevel, level));
    // Goes on until the input is taken; at the end, until the frame is complete.
    const run = (directive: number, length: number): void => {
      for (;;) {
        const left = compressStream(context, memory.outAddress, memory.inAddress, directive);
        assertDone(left);
        const isDone = directive === zstd.end ? left === 0 : memory.taken === length;
        if (memory.isFull || (isDone && directive === zstd.end)) memory.drain(onFrame);
        if (isDone) return;
      }
    };
    const running: RunningCompressor = {
      update: (src, offset, length) => {
        assertWithin(src, offset, length);
        if (length === 0) return;
        memory.setInput(addresses.of(src, offset), length);
        run(zstd.goOn, length);
      },
      finish: () => {
        memory.setInput(0, 0);
        run(zstd.end, 0);
        this.#abandoned.unregister(running);
        freeCompressor(context);
      },
    };
    this.#abandoned.register(running, () => freeCompressor(context), running);
    return running;
  }

  startDecompress(plainBytesMax: number, onPlain: TakeBytes): RunningDecompressor {
    const { createDecompressor, setDecompressor, decompressStream, freeDecompressor } =
      this.#exports;
    const addresses = this.#addresses;
    const context = createDecompressor();
    const memory = new StreamMemory();
    assertDone(setDecompressor(context, zstd.decoderWindowLogMax, streamWindowLogMax));
    let total = 0;
    let isDamaged = false;
    let isAtFrameEnd = true;
    const running: RunningDecompressor = {
      update: (src, offset, length) => {
        assertWithin(src, offset, length);
        if (isDamaged || length === 0) return !isDamaged;
        memory.setInput(addresses.of(src, offset), length);
        for (;;) {
          const hint = decompressStream(context, memory.outAddress, memory.inAddress);
          total += memory.produced;
          isDamaged = hint < 0 || total > plainBytesMax;
          if (isDamaged) return false;
          isAtFrameEnd = hint === 0;
          // A full piece may not be all that the decoder has ready.
          const hasMore = memory.isFull && !isAtFrameEnd;
          memory.drain(onPlain);
          if (memory.taken === length && !hasMore) return true;
        }
      },
      finish: () => {
        this.#abandoned.unregister(running);
        freeDecompressor(context);
        return !isDamaged && isAtFrameEnd;
      },
    };
    this.#abandoned.register(running, () => freeDecompressor(context), running);
    return running;
  }
}

/** zstd reports errors as -1 … -120 cast to size_t (ZSTD_isError); signed here, hence negative. */
function assertDone(result: number): void {
  if (result < 0) throw new BackstayError("INTERNAL", { problem: "zstd refused", result });
}
