/** Picks the codec of this thread: the native one where it works and proves itself, else the portable one. */
import { getEnvironmentData, isMainThread, setEnvironmentData } from "node:worker_threads";
import { NativeCodec } from "./native/native-codec.ts";
import { PortableCodec } from "./node/portable-codec.ts";
import type { Codec, TakeBytes } from "./ports/codec.ts";

let opened: Codec | undefined;

/** Name of the codec that the main thread chose, for threads that start later. */
const chosenKey = "backstay.codec";

/**
 * The codec of this thread, always the same one: its contexts are native memory that nobody gives back.
 * Never fails: a native codec that is absent or gives another answer than expected is left alone. What the main thread
 * has proved, threads started after that don't prove again.
 */
export function openCodec(): Codec {
  if (opened !== undefined) return opened;
  opened = getEnvironmentData(chosenKey) === "native" ? new NativeCodec() : chooseCodec();
  if (isMainThread) setEnvironmentData(chosenKey, opened.name);
  return opened;
}

function chooseCodec(): Codec {
  try {
    const native = new NativeCodec();
    if (codecsAgree(native, new PortableCodec())) return native;
  } catch {
    // An executable without these exports: the portable codec does the same work.
  }
  return new PortableCodec();
}

/** True if `tried` gives the same as `trusted` in one round through each function, in both directions. */
export function codecsAgree(tried: Codec, trusted: Codec): boolean {
  const plain = new Uint8Array(1000).map((_, i) => (i * i) >> 3);
  return (
    digestsAgree(tried, trusted, plain) &&
    ciphersAgree(tried, trusted, plain) &&
    framesAgree(tried, trusted, plain) &&
    streamsAgree(tried, trusted, plain)
  );
}

function digestsAgree(tried: Codec, trusted: Codec, plain: Uint8Array): boolean {
  const [expected, whole, pieces, beside] = [0, 1, 2, 3].map(() => new Uint8Array(32));
  trusted.sha256(plain, 0, 1000, expected, 0);
  tried.sha256(plain, 0, 1000, whole, 0);
  const running = tried.startSha256();
  running.update(plain, 0, 300);
  running.updateBeside(plain, 300, 700, plain, 0, 1000, beside, 0);
  running.finish(pieces, 0);
  return [whole, pieces, beside].every((digest) => areSame(digest, expected));
}

function ciphersAgree(tried: Codec, trusted: Codec, plain: Uint8Array): boolean {
  const key = {
    encrypt: plain.slice(100, 132),
    macK: plain.slice(200, 216),
    macR: plain.slice(300, 316),
  };
  const [expected, sealed] = [0, 1].map(() => new Uint8Array(1032));
  const opened = new Uint8Array(1000);
  trusted.openCipher(key).seal(plain, 0, 1000, plain, 40, expected, 0);
  const cipher = tried.openCipher(key);
  cipher.seal(plain, 0, 1000, plain, 40, sealed, 0);
  if (!areSame(sealed, expected)) return false;
  const pieces = new Gathered();
  if (!cipher.open(expected, 0, 1032, opened, 0) || !areSame(opened, plain)) return false;
  if (!cipher.openInPieces(expected, 0, 1032, pieces.take)) return false;
  if (!areSame(pieces.bytes, plain)) return false;
  expected[500] ^= 1;
  if (cipher.openInPieces(expected, 0, 1032, () => undefined)) return false;
  return !cipher.open(expected, 0, 1032, opened, 0);
}

function framesAgree(tried: Codec, trusted: Codec, plain: Uint8Array): boolean {
  const frame = new Uint8Array(2000);
  for (const [from, to] of [
    [tried, trusted],
    [trusted, tried],
  ]) {
    const opened = new Uint8Array(1000);
    const length = from.compress(plain, 0, 1000, frame, 0, 2000, 3);
    if (length < 0 || to.decompress(frame, 0, length, opened, 0, 1000) !== 1000) return false;
    if (!areSame(opened, plain) || to.decompress(frame, 0, length, opened, 0, 999) !== -1)
      return false;
  }
  return true;
}

function streamsAgree(tried: Codec, trusted: Codec, plain: Uint8Array): boolean {
  for (const [from, to] of [
    [tried, trusted],
    [trusted, tried],
  ]) {
    const frame = new Gathered();
    // The lowest level has the smallest window: every thread pays for this memory once.
    const compressor = from.startCompress(1, frame.take);
    compressor.update(plain, 0, 300);
    compressor.update(plain, 300, 700);
    compressor.finish();
    const { bytes } = frame;
    const half = bytes.length >> 1;
    for (const [room, isRight] of [
      [1000, true],
      [999, false],
    ] as const) {
      const opened = new Gathered();
      const decompressor = to.startDecompress(room, opened.take);
      decompressor.update(bytes, 0, half);
      decompressor.update(bytes, half, bytes.length - half);
      if (decompressor.finish() !== isRight) return false;
      if (isRight && !areSame(opened.bytes, plain)) return false;
    }
  }
  return true;
}

/** What came in pieces. */
class Gathered {
  readonly #pieces: Uint8Array[] = [];
  readonly take: TakeBytes = (bytes, offset, length) => {
    this.#pieces.push(bytes.slice(offset, offset + length));
  };

  get bytes(): Uint8Array {
    return Buffer.concat(this.#pieces);
  }
}

function areSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
