/**
 * The byte crunching of sealing: SHA-256, zstd, AES-256-CTR with Poly1305-AES. Synchronous, one
 * instance per thread. Two adapters give the same plaintext: `native/` calls the functions of Node's own
 * executable with reused contexts, `node/` uses only documented interfaces.
 *
 * Sources and destinations are given as array, offset and length, so that nothing is allocated per call.
 * A range that leaves its array throws INTERNAL in both adapters (see `assertWithin`), before anything is written.
 * Nothing may be longer than `codecBytesMax`.
 */
import { BackstayError } from "../../protocol/backstay-error.ts";

export interface Codec {
  readonly name: "native" | "portable";

  /** Writes the 32-byte SHA-256 of `src[offset, offset + length)` to `out` at `outOffset`. */
  sha256(src: Uint8Array, offset: number, length: number, out: Uint8Array, outOffset: number): void;

  /** A SHA-256 over bytes that come in pieces. */
  startSha256(): RunningSha256;

  /**
   * One zstd frame with content size, without checksum. Returns its length, or -1 if it would be longer than `capacity`.
   * Levels are zstd's, -7 … 19.
   */
  compress(
    src: Uint8Array,
    offset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
    capacity: number,
    level: number,
  ): number;

  /**
   * Decodes zstd frames, one after the other; returns the plain length, or -1 if they are damaged, cut, followed by
   * anything else, or hold more than `capacity` bytes. Then what is in `dst[dstOffset, dstOffset + capacity)` is undefined.
   */
  decompress(
    src: Uint8Array,
    offset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
    capacity: number,
  ): number;

  /**
   * Begins one zstd frame over bytes that come in pieces, for what is too long to be held. The frame need not tell its
   * content size, has no checksum and a window of at most 8 MiB. Its bytes go to `onFrame` as they come into being.
   * Levels as for `compress`.
   */
  startCompress(level: number, onFrame: TakeBytes): RunningCompressor;

  /**
   * Begins to decode zstd frames that come in pieces, one frame after the other; windows above 8 MiB count as damage. What
   * they hold goes to `onPlain` as it is decoded, never more than `plainBytesMax` bytes in all.
   */
  startDecompress(plainBytesMax: number, onPlain: TakeBytes): RunningDecompressor;

  /** A cipher bound to one key; see `SealCipher`. */
  openCipher(key: SealKey): SealCipher;
}

/** Takes `bytes[offset, offset + length)`, which are valid during the call only. It may not throw. */
export type TakeBytes = (bytes: Uint8Array, offset: number, length: number) => void;

/** The native adapter holds a window and some buffers, the portable one everything until `finish`. */
export interface RunningCompressor {
  /** Adds `src[offset, offset + length)` to what the frame holds. */
  update(src: Uint8Array, offset: number, length: number): void;
  /** Ends the frame; the object can't be used afterwards. */
  finish(): void;
}

/** Holds as much as `RunningCompressor`. */
export interface RunningDecompressor {
  /** Takes the next bytes. False, from then on, once they are known to be damaged or to hold more than allowed. */
  update(src: Uint8Array, offset: number, length: number): boolean;
  /**
   * True if everything was whole frames and `onPlain` has got all that they hold; whatever it got before is worth nothing
   * otherwise. The object can't be used afterwards.
   */
  finish(): boolean;
}

/** Windows that the running functions make and take: 8 MiB. */
export const streamWindowLogMax = 23;

/** Most bytes of one call: lengths are signed 32-bit numbers inside OpenSSL. */
export const codecBytesMax = 0x7fffffff;

/**
 * Throws INTERNAL unless `bytes[offset, offset + length)` exists. Adapters that hand out addresses have
 * nothing else between a wrong number and foreign memory; an array whose buffer was transferred is empty.
 */
export function assertWithin(bytes: Uint8Array, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && length <= codecBytesMax && offset + length <= bytes.length)
    return;
  throw new BackstayError("INTERNAL", {
    problem: "a range leaves its array",
    offset,
    length,
    arrayBytes: bytes.length,
  });
}

export interface RunningSha256 {
  update(src: Uint8Array, offset: number, length: number): void;
  /**
   * As `update`, and writes the SHA-256 of `other[otherOffset, otherOffset + otherLength)` to `out` at `outOffset`. Where
   * the processor can hash two streams at once, this takes hardly longer than the longer of both.
   */
  updateBeside(
    src: Uint8Array,
    offset: number,
    length: number,
    other: Uint8Array,
    otherOffset: number,
    otherLength: number,
    out: Uint8Array,
    outOffset: number,
  ): void;
  /** Writes the digest; the object can't be used afterwards. */
  finish(out: Uint8Array, outOffset: number): void;
}

/** The parts of a restic key: AES-256 key (32 bytes), Poly1305-AES `k` and `r` (16 bytes each). */
export interface SealKey {
  readonly encrypt: Uint8Array;
  readonly macK: Uint8Array;
  readonly macR: Uint8Array;
}

/** Bytes that sealing adds: 16 of IV before, 16 of MAC behind. */
export const sealOverheadBytes = 32;

export interface SealCipher {
  /** Writes `IV ‖ ciphertext ‖ MAC` (`length + 32` bytes) with the given 16-byte IV, which must never repeat under one key. */
  seal(
    src: Uint8Array,
    offset: number,
    length: number,
    iv: Uint8Array,
    ivOffset: number,
    dst: Uint8Array,
    dstOffset: number,
  ): void;

  /** Checks the MAC and writes the `length - 32` plain bytes; false, with `dst` untouched, if the MAC is wrong. */
  open(
    src: Uint8Array,
    offset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
  ): boolean;

  /**
   * As `open`, but the plain bytes go to `onPlain` piece by piece, so that a long message needs no second place. False, with
   * `onPlain` never called, if the MAC is wrong. `onPlain` may not use this cipher.
   */
  openInPieces(src: Uint8Array, offset: number, length: number, onPlain: TakeBytes): boolean;
}
