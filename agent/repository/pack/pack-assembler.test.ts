/** Packs as they leave: readable by others' rules, verified against faulty compressors and ciphers. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PortableCodec } from "../../../platform/node/portable-codec.ts";
import type { Codec, SealCipher, SealKey } from "../../../platform/ports/codec.ts";
import {
  craftedKey,
  craftedSealer,
  hashOf,
  hexOf,
} from "../../../test/repository/crafted-packs.ts";
import { BlobOpener } from "../blob/blob-opener.ts";
import type { CompressionMode } from "../blob/compression.ts";
import type { EncodedBytes } from "../encoded-bytes.ts";
import {
  type FinishedPack,
  PackAssembler,
  packBufferBytes,
  packBufferBytesFor,
  packBytesTarget,
  packedBlobBytesMax,
} from "./pack-assembler.ts";
import { packHeaderOf } from "./pack-reader.ts";

const sealer = craftedSealer();
const opener = new BlobOpener(sealer.codec, craftedKey);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

interface Blob {
  readonly plain: Uint8Array;
  readonly isTree: boolean;
}

function add(assembler: PackAssembler, { plain, isTree }: Blob): number {
  return assembler.add(plain, 0, plain.length, hashOf(plain), 0, isTree);
}

/** Every blob of the pack as its own header lists it, opened. */
function opened(pack: FinishedPack, buffer: Uint8Array): Blob[] {
  const bytes = buffer.subarray(0, pack.length);
  expect(hexOf(hashOf(bytes))).toBe(hexOf(pack.id));
  const { blobs, header } = packHeaderOf(sealer, bytes, hexOf(pack.id));
  expect(hexOf(header)).toBe(hexOf(pack.header));
  expect(blobs).toHaveLength(pack.blobs);
  return blobs.map(({ id, isTree, offset, length, plainLength }) => ({
    plain: opener.open(bytes, offset, length, plainLength, id, 0).slice(),
    isTree,
  }));
}

function assembled(mode: CompressionMode, blobs: readonly Blob[], codec?: Codec) {
  const assembler = new PackAssembler(craftedKey, mode, codec);
  const room = blobs.reduce((sum, { plain }) => sum + packBufferBytesFor(plain.length), 0);
  const buffer = new Uint8Array(room);
  assembler.begin(buffer);
  const stored = blobs.map((blob) => add(assembler, blob));
  return { pack: assembler.finish(), buffer, stored };
}

const anyBlob = fc.record({
  plain: fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.nat({ max: 300 }))
      .map(([part, times]) => new Uint8Array(Buffer.alloc(part.length * times, part))),
  ),
  isTree: fc.boolean(),
});

describe("an assembled pack", () => {
  it("holds what was added, in every mode", () => {
    fc.assert(
      fc.property(
        fc.array(anyBlob, { minLength: 1, maxLength: 12 }),
        fc.constantFrom<CompressionMode>("off", "fastest", "auto", "better", "max"),
        (blobs, mode) => {
          const { pack, buffer, stored } = assembled(mode, blobs);
          expect(opened(pack, buffer)).toEqual(blobs);
          expect(pack.plainBytes).toBe(blobs.reduce((sum, { plain }) => sum + plain.length, 0));
          const sealed = stored.reduce((sum, length) => sum + length, 0);
          expect(pack.length).toBe(sealed + pack.header.length + 32 + 4);
        },
      ),
    );
  });

  it("never compresses blobs of no bytes, nor data that would not shrink, but every tree", () => {
    const noise = new Uint8Array(randomBytes(5000));
    const large = new Uint8Array(randomBytes(600_000));
    const tree = text('{"nodes":[]}\n');
    const blobs = [
      { plain: new Uint8Array(0), isTree: false },
      { plain: new Uint8Array(0), isTree: true },
      { plain: text("x"), isTree: false },
      { plain: noise, isTree: false },
      { plain: large, isTree: false },
      { plain: tree, isTree: true },
      { plain: noise, isTree: true },
      { plain: large, isTree: true },
      { plain: new Uint8Array(5000), isTree: false },
    ];
    for (const mode of ["off", "auto"] as const) {
      const { pack, buffer } = assembled(mode, blobs);
      const listed = packHeaderOf(sealer, buffer.subarray(0, pack.length), "pack").blobs;
      const compressed = listed.map(({ plainLength }) => plainLength > 0);
      const isOn = mode === "auto";
      expect(compressed).toEqual([false, false, false, false, false, true, true, true, isOn]);
    }
  });

  it("is the same for a reused assembler and buffer", () => {
    const assembler = new PackAssembler(craftedKey, "auto");
    const buffer = new Uint8Array(packBufferBytes);
    for (let round = 0; round < 3; round += 1) {
      expect(assembler.isOpen).toBe(false);
      assembler.begin(buffer);
      expect([assembler.isOpen, assembler.isEmpty, assembler.isFull]).toEqual([true, true, false]);
      const blobs = [0, 1, 2].map((i) => ({ plain: text(`${round} ${i}`), isTree: false }));
      for (const blob of blobs) add(assembler, blob);
      expect(assembler.isEmpty).toBe(false);
      expect(opened(assembler.finish(), buffer)).toEqual(blobs);
    }
  });

  it("is full at the target size, and always has room for one blob of the usual kind more", () => {
    for (const isTree of [false, true]) {
      const assembler = new PackAssembler(craftedKey, "off");
      const buffer = new Uint8Array(packBufferBytes);
      assembler.begin(buffer);
      const part = new Uint8Array(randomBytes(packBytesTarget - 33));
      assembler.add(part, 0, 8 * 1024 * 1024, hashOf(part.subarray(0, 8 * 1024 * 1024)), 0, false);
      const rest = part.subarray(8 * 1024 * 1024);
      assembler.add(
        rest,
        0,
        rest.length - 32,
        hashOf(rest.subarray(0, rest.length - 32)),
        0,
        false,
      );
      expect(assembler.isFull).toBe(false);
      const last = new Uint8Array(randomBytes(packedBlobBytesMax));
      add(assembler, { plain: last, isTree });
      expect(assembler.isFull).toBe(true);
      const pack = assembler.finish();
      expect(hexOf(hashOf(opened(pack, buffer)[2].plain))).toBe(hexOf(hashOf(last)));
    }
  });

  it("is full after many small blobs, with a header that still fits", () => {
    const assembler = new PackAssembler(craftedKey, "off");
    const buffer = new Uint8Array(packBufferBytes);
    assembler.begin(buffer);
    const plain = new Uint8Array(4);
    const view = new DataView(plain.buffer);
    let added = 0;
    for (; !assembler.isFull; added += 1) {
      view.setUint32(0, added);
      add(assembler, { plain, isTree: false });
    }
    const pack = assembler.finish();
    expect(pack.blobs).toBe(added);
    expect(added).toBeGreaterThan(10_000);
    expect(packHeaderOf(sealer, buffer.subarray(0, pack.length), "pack").blobs).toHaveLength(added);
  });

  it("may be of one huge blob, in memory of its own", () => {
    for (const isTree of [false, true]) {
      const plain = new Uint8Array(randomBytes(20 * 1024 * 1024 + 1));
      const { pack, buffer } = assembled("auto", [{ plain, isTree }]);
      expect(hexOf(hashOf(opened(pack, buffer)[0].plain))).toBe(hexOf(hashOf(plain)));
    }
  });

  it("refuses blobs that do not fit, use without a buffer, and packs without blobs", () => {
    const internal = expect.objectContaining({ code: "INTERNAL" });
    const assembler = new PackAssembler(craftedKey, "auto");
    const blob = { plain: text("hello\n"), isTree: false };
    expect(() => add(assembler, blob)).toThrow(internal);
    expect(() => assembler.finish()).toThrow(internal);
    assembler.begin(new Uint8Array(500));
    expect(() => assembler.finish()).toThrow(internal);
    assembler.begin(new Uint8Array(500));
    expect(() => add(assembler, { plain: new Uint8Array(500), isTree: false })).toThrow(internal);
    const room = packBufferBytesFor(6);
    assembler.begin(new Uint8Array(room - 1));
    expect(() => add(assembler, blob)).toThrow(internal);
    assembler.begin(new Uint8Array(room));
    add(assembler, blob);
    expect(assembler.finish().blobs).toBe(1);
  });
});

describe("a pack that was not made right", () => {
  const blobs = [
    { plain: new Uint8Array(5000).fill(7), isTree: false },
    { plain: text('{"nodes":[]}\n'), isTree: true },
    { plain: new Uint8Array(randomBytes(3000)), isTree: false },
  ];
  const verifyFailed = expect.objectContaining({ code: "VERIFY_FAILED" });

  /** A codec of which the n-th call of a kind goes wrong. */
  class Faulty extends PortableCodec {
    calls = 0;
    readonly kind: "compress" | "seal";
    readonly failAt: number;
    readonly spoil: (dst: Uint8Array, offset: number, length: number) => void;

    constructor(kind: Faulty["kind"], failAt: number, spoil: Faulty["spoil"]) {
      super();
      this.kind = kind;
      this.failAt = failAt;
      this.spoil = spoil;
    }

    override compress(...args: Parameters<Codec["compress"]>): number {
      const length = super.compress(...args);
      if (this.kind === "compress" && length > 0) this.#strike(args[3], args[4], length);
      return length;
    }

    override openCipher(key: SealKey): SealCipher {
      const cipher = super.openCipher(key);
      return {
        open: (...args) => cipher.open(...args),
        openInPieces: (...args) => cipher.openInPieces(...args),
        seal: (...args) => {
          cipher.seal(...args);
          if (this.kind === "seal") this.#strike(args[5], args[6], args[2] + 32);
        },
      };
    }

    #strike(dst: Uint8Array, offset: number, length: number): void {
      this.calls += 1;
      if (this.calls === this.failAt) this.spoil(dst, offset, length);
    }
  }

  it("does not leave, whichever blob or header was spoilt, and wherever", () => {
    for (const [kind, calls] of [
      ["compress", 2],
      ["seal", 4],
    ] as const)
      for (let failAt = 1; failAt <= calls; failAt += 1)
        for (const place of [0, 0.2, 0.5, 0.99]) {
          const codec = new Faulty(kind, failAt, (dst, offset, length) => {
            dst[offset + Math.floor(length * place)] ^= 4;
          });
          expect(() => assembled("auto", blobs, codec), `${kind} ${failAt} ${place}`).toThrow(
            verifyFailed,
          );
          expect(codec.calls).toBeGreaterThanOrEqual(failAt);
        }
    const sound = new Faulty("seal", 99, () => undefined);
    expect(assembled("auto", blobs, sound).pack.blobs).toBe(3);
  });

  it("does not leave if the source was hashed before it changed", () => {
    const assembler = new PackAssembler(craftedKey, "auto");
    const buffer = new Uint8Array(100_000);
    assembler.begin(buffer);
    const plain = new Uint8Array(5000);
    const id = hashOf(plain);
    plain[2500] = 1;
    assembler.add(plain, 0, 5000, id, 0, false);
    expect(() => assembler.finish()).toThrow(verifyFailed);
  });

  it("does not leave if a bit of it flips in memory", () => {
    for (const at of [3, 40, 2000]) {
      const assembler = new PackAssembler(craftedKey, "off");
      const buffer = new Uint8Array(100_000);
      assembler.begin(buffer);
      for (const blob of blobs) add(assembler, blob);
      buffer[at] ^= 0x80;
      expect(() => assembler.finish()).toThrow(verifyFailed);
    }
  });
});

describe("the pack of a large tree", () => {
  const lines = Array.from({ length: 200_000 }, (_, i) => `{"name":"file ${i}","inode":${i * i}},`);
  const plain = text(lines.join("\n"));

  function treeOf(assembler: PackAssembler): EncodedBytes {
    const tree = assembler.startLargeTree();
    for (let at = 0; at < plain.length; at += 500_000)
      tree.add(plain, at, Math.min(500_000, plain.length - at));
    tree.finish();
    return tree;
  }

  it("holds the one tree, compressed, as if it had come at once", () => {
    for (const mode of ["off", "auto"] as const) {
      const assembler = new PackAssembler(craftedKey, mode);
      const tree = treeOf(assembler);
      const { encodedLength } = tree;
      const buffer = new Uint8Array(packBufferBytesFor(encodedLength));
      assembler.begin(buffer);
      expect(assembler.addLargeTree(tree)).toBe(encodedLength + 32);
      const pack = assembler.finish();
      expect(pack).toMatchObject({ blobs: 1, plainBytes: plain.length });
      const [blob] = opened(pack, buffer);
      expect(blob.isTree).toBe(true);
      expect(Buffer.compare(blob.plain, plain)).toBe(0);
      expect(assembler.isOpen).toBe(false);
    }
  });

  it("does not leave if compressor, cipher or memory spoilt it", () => {
    const spoilt: ((assembler: PackAssembler, buffer: Uint8Array) => void)[] = [
      (_, buffer) => {
        buffer[5] ^= 1;
      },
      (_, buffer) => {
        buffer[buffer.length >> 1] ^= 1;
      },
    ];
    for (const spoil of spoilt) {
      const assembler = new PackAssembler(craftedKey, "auto");
      const tree = treeOf(assembler);
      const buffer = new Uint8Array(packBufferBytesFor(tree.encodedLength));
      assembler.begin(buffer);
      assembler.addLargeTree(tree);
      spoil(assembler, buffer);
      expect(() => assembler.finish()).toThrow(expect.objectContaining({ code: "VERIFY_FAILED" }));
    }
    for (const place of [6, 0.5]) {
      class Spoiling extends PortableCodec {
        override startCompress(
          ...[level, onFrame]: Parameters<Codec["startCompress"]>
        ): ReturnType<Codec["startCompress"]> {
          return super.startCompress(level, (bytes, offset, length) => {
            const frame = bytes.slice(offset, offset + length);
            frame[place < 1 ? Math.floor(place * length) : place] ^= 0x11;
            onFrame(frame, 0, length);
          });
        }
      }
      const assembler = new PackAssembler(craftedKey, "auto", new Spoiling());
      const tree = treeOf(assembler);
      assembler.begin(new Uint8Array(packBufferBytesFor(tree.encodedLength)));
      assembler.addLargeTree(tree);
      expect(() => assembler.finish()).toThrow(expect.objectContaining({ code: "VERIFY_FAILED" }));
    }
  });

  it("refuses a buffer that is too small for it", () => {
    const assembler = new PackAssembler(craftedKey, "auto");
    const tree = treeOf(assembler);
    assembler.begin(new Uint8Array(tree.encodedLength + 32 + 41));
    expect(() => assembler.addLargeTree(tree)).toThrow(
      expect.objectContaining({ code: "INTERNAL" }),
    );
  });
});
