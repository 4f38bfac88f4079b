/** Opening blobs: what is refused and why, bombs, and who owns the memory. */
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { craftedKey, craftedSealer, hashOf } from "../../../test/repository/crafted-packs.ts";
import { BlobOpener, blobBytesMax, largeBlobBytesMin } from "./blob-opener.ts";

const sealer = craftedSealer();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const newOpener = (): BlobOpener => new BlobOpener(sealer.codec, craftedKey);

function tryOpen(content: Uint8Array, plainLength: number, id: Uint8Array, opener = newOpener()) {
  const sealed = sealer.seal(content);
  return opener.tryOpen(sealed, 0, sealed.length, plainLength, id, 0);
}

describe("opening a blob", () => {
  it("gives the bytes of plain and compressed blobs, at any place", () => {
    const opener = newOpener();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat({ max: 50 }), (plain, before) => {
        const ids = new Uint8Array(before + 40);
        ids.set(hashOf(plain), before);
        for (const plainLength of plain.length === 0 ? [0] : [0, plain.length]) {
          const sealed = sealer.seal(plainLength === 0 ? plain : zstdCompressSync(plain));
          const src = new Uint8Array(before + sealed.length + 9);
          src.set(sealed, before);
          const opened = opener.open(src, before, sealed.length, plainLength, ids, before);
          expect(Buffer.compare(opened, plain)).toBe(0);
        }
      }),
    );
  });

  it("says what is wrong: seal, compression, length or content", () => {
    const plain = text("some text that is stored");
    const id = hashOf(plain);
    const frame = zstdCompressSync(plain);
    expect(tryOpen(plain, 0, hashOf(text("other")))).toBe("content");
    expect(tryOpen(frame, plain.length, hashOf(text("other")))).toBe("content");
    expect(tryOpen(frame, plain.length + 1, id)).toBe("length");
    expect(tryOpen(frame, plain.length - 1, id)).toBe("compression");
    expect(tryOpen(frame.subarray(0, -1), plain.length, id)).toBe("compression");
    expect(tryOpen(plain, plain.length, id)).toBe("compression");
    expect(tryOpen(frame, 0, id)).toBe("content");
    expect(tryOpen(plain, blobBytesMax + 1, id)).toBe("length");
    const sealed = sealer.seal(plain);
    const opener = newOpener();
    expect(opener.tryOpen(sealed, 0, 31, 0, id, 0)).toBe("length");
    expect(opener.tryOpen(sealed, 0, sealed.length + 1, 0, id, 0)).toBe("length");
    expect(opener.tryOpen(sealed, 1, sealed.length, 0, id, 0)).toBe("length");
    expect(opener.tryOpen(sealed, 0, sealed.length - 1, 0, id, 0)).toBe("seal");
    sealed[20] ^= 1;
    expect(opener.tryOpen(sealed, 0, sealed.length, 0, id, 0)).toBe("seal");
    expect(() => opener.open(sealed, 0, sealed.length, 0, id, 0)).toThrow(
      expect.objectContaining({ code: "REPOSITORY_DAMAGED" }),
    );
  });

  it("finds the same wrong without holding the blob", () => {
    const opener = newOpener();
    const plain = new Uint8Array(Buffer.from("a line of a very long list, ".repeat(40_000)));
    const id = hashOf(plain);
    const frame = new Uint8Array(zstdCompressSync(plain));
    const other = hashOf(text("other"));
    const cut = frame.subarray(0, -1);
    const cases: [Uint8Array, number, Uint8Array, string | undefined][] = [
      [frame, plain.length, id, undefined],
      [plain, 0, id, undefined],
      [new Uint8Array(0), 0, hashOf(new Uint8Array(0)), undefined],
      [plain, 0, other, "content"],
      [frame, plain.length, other, "content"],
      [frame, 0, id, "content"],
      [frame, plain.length + 1, id, "length"],
      [frame, plain.length - 1, id, "compression"],
      [cut, plain.length, id, "compression"],
      [plain, plain.length, id, "compression"],
      [frame, blobBytesMax + 1, id, "length"],
    ];
    for (const [content, plainLength, ids, problem] of cases) {
      const sealed = sealer.seal(content);
      const length = sealed.length;
      const name = `${content.length} ${plainLength}`;
      expect(opener.verify(sealed, 0, length, plainLength, ids, 0), name).toBe(problem);
      const opened = opener.tryOpen(sealed, 0, length, plainLength, ids, 0);
      expect(typeof opened === "string" ? opened : undefined, name).toBe(problem);
      const placed = new Uint8Array(Buffer.concat([new Uint8Array(5), sealed]));
      expect(opener.verify(placed, 5, length, plainLength, ids, 0), name).toBe(problem);
      expect(opener.verify(sealed, 0, length + 1, plainLength, ids, 0), name).toBe("length");
      expect(opener.verify(sealed, 0, 31, plainLength, ids, 0), name).toBe("length");
      sealed[20] ^= 1;
      if (plainLength <= blobBytesMax)
        expect(opener.verify(sealed, 0, length, plainLength, ids, 0), name).toBe("seal");
    }
  });

  it("finds the same wrong in a large blob, which is opened piece by piece", () => {
    const plain = new Uint8Array(largeBlobBytesMin + 1000).fill(7);
    const frame = new Uint8Array(zstdCompressSync(plain));
    const [id, other] = [hashOf(plain), hashOf(text("other"))];
    for (const opened of [tryOpen(plain, 0, id), tryOpen(frame, plain.length, id)])
      expect(typeof opened === "string" ? opened : Buffer.compare(opened, plain)).toBe(0);
    expect(tryOpen(plain, 0, other)).toBe("content");
    expect(tryOpen(frame, plain.length, other)).toBe("content");
    expect(tryOpen(frame, plain.length + 1, id)).toBe("length");
    expect(tryOpen(frame, plain.length - 1, id)).toBe("compression");
    expect(tryOpen(frame.subarray(0, -1), plain.length, id)).toBe("compression");
    const sealed = sealer.seal(plain);
    const opener = newOpener();
    expect(opener.tryOpen(sealed, 0, sealed.length + 1, 0, id, 0)).toBe("length");
    sealed[sealed.length - 20] ^= 1;
    expect(opener.tryOpen(sealed, 0, sealed.length, 0, id, 0)).toBe("seal");
  });

  it("takes a digest of the sealed bytes along", () => {
    const opener = newOpener();
    for (const length of [0, 1000, largeBlobBytesMin]) {
      const plain = new Uint8Array(length).fill(3);
      const sealed = sealer.seal(plain);
      const running = opener.codec.startSha256();
      const opened = opener.tryOpen(sealed, 0, sealed.length, 0, hashOf(plain), 0, running);
      expect(typeof opened === "string" ? opened : Buffer.compare(opened, plain)).toBe(0);
      const digest = new Uint8Array(32);
      running.finish(digest, 0);
      expect(digest).toEqual(hashOf(sealed));
    }
  });

  it("opens two at once, each as if it were alone", () => {
    const contents = [text("one"), text("x".repeat(5000)), new Uint8Array(largeBlobBytesMin + 1)];
    const openers = [newOpener(), newOpener()] as const;
    for (const first of contents)
      for (const second of contents)
        for (const damaged of [undefined, 0, 1]) {
          const plains = [first, second];
          const sealed = plains.map((plain) => sealer.seal(plain));
          if (damaged !== undefined) sealed[damaged][18] ^= 1;
          const [one, two] = plains.map((plain, i) => ({
            offset: i === 0 ? 0 : sealed[0].length,
            storedLength: sealed[i].length,
            plainLength: 0,
            id: hashOf(plain),
          }));
          const src = new Uint8Array(Buffer.concat(sealed));
          const opened = openers[0].tryOpenBoth(src, one, openers[1], two);
          for (const [i, plain] of plains.entries())
            expect(typeof opened[i] === "string" ? opened[i] : hashOf(opened[i])).toEqual(
              i === damaged ? "seal" : hashOf(plain),
            );
        }
  });

  it("takes no more memory for a bomb than the length that was declared, and not at once", () => {
    const bomb = zstdCompressSync(Buffer.alloc(256 * 1024 * 1024));
    const before = process.memoryUsage().rss;
    expect(tryOpen(bomb, 100_000, new Uint8Array(32))).toBe("compression");
    // Declared as huge, but the frame holds little: nothing huge is allocated.
    const small = zstdCompressSync(Buffer.alloc(1000));
    expect(tryOpen(small, blobBytesMax, new Uint8Array(32))).toBe("length");
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  });

  it("lets a blob be kept, the small by a copy and the large without one", () => {
    const opener = newOpener();
    for (const length of [10, 20 * 1024 * 1024])
      for (const isCompressed of [false, true]) {
        const plain = new Uint8Array(length).fill(5);
        const sealed = sealer.seal(isCompressed ? zstdCompressSync(plain) : plain);
        const plainLength = isCompressed ? length : 0;
        const opened = opener.open(sealed, 0, sealed.length, plainLength, hashOf(plain), 0);
        const kept = opener.keep(opened);
        expect(kept.buffer === opened.buffer).toBe(length > largeBlobBytesMin);
        const other = sealer.seal(text("other"));
        opener.open(other, 0, other.length, 0, hashOf(text("other")), 0);
        expect(Buffer.compare(kept, plain)).toBe(0);
      }
  });
});
