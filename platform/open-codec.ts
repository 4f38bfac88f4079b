/** Picks the codec of this thread: the native one where it works and proves itself, else the portable one. */
import { NativeCodec } from "./native/native-codec.ts";
import { PortableCodec } from "./node/portable-codec.ts";
import type { Codec } from "./ports/codec.ts";

/** Never fails: a native codec that is absent or gives another answer than expected is left alone. */
export function openCodec(): Codec {
  try {
    const native = new NativeCodec();
    if (agrees(native, new PortableCodec())) return native;
  } catch {
    // An executable without these exports: the portable codec does the same work.
  }
  return new PortableCodec();
}

/** One round through each function, in both directions, against the other codec. */
function agrees(native: Codec, portable: Codec): boolean {
  const plain = new Uint8Array(1000).map((_, i) => (i * i) >> 3);
  const key = {
    encrypt: plain.slice(100, 132),
    macK: plain.slice(200, 216),
    macR: plain.slice(300, 316),
  };
  const sealed = [new Uint8Array(1032), new Uint8Array(1032)];
  const frames = [new Uint8Array(2000), new Uint8Array(2000)];
  const opened = new Uint8Array(1000);
  const digests = [new Uint8Array(32), new Uint8Array(32)];
  const codecs = [native, portable];
  for (const [i, codec] of codecs.entries()) {
    codec.sha256(plain, 0, 1000, digests[i], 0);
    codec.openCipher(key).seal(plain, 0, 1000, plain, 40, sealed[i], 0);
  }
  const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
  if (!same(digests[0], digests[1]) || !same(sealed[0], sealed[1])) return false;
  if (!native.openCipher(key).open(sealed[1], 0, 1032, opened, 0) || !same(opened, plain))
    return false;
  for (const [i, codec] of codecs.entries()) {
    const length = codec.compress(plain, 0, 1000, frames[i], 0, 2000, 3);
    opened.fill(0);
    const back = codecs[1 - i].decompress(frames[i], 0, length, opened, 0, 1000);
    if (back !== 1000 || !same(opened, plain)) return false;
  }
  return true;
}
