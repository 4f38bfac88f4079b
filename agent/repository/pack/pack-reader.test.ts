/** Reading pack headers: right ones, and every lie that a pack can tell about itself. */
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryStore } from "../../../storage/memory/memory-store.ts";
import {
  type CraftedBlob,
  type CraftedPack,
  closePack,
  craftEntry,
  craftedSealer,
  craftPack,
  hashOf,
  hexOf,
} from "../../../test/repository/crafted-packs.ts";
import { headerBytesMax } from "./pack-header.ts";
import { loadPackHeader, packHeaderOf, readPackHeader } from "./pack-reader.ts";

const { signal } = new AbortController();
const sealer = craftedSealer();

async function load(pack: CraftedPack) {
  const store = new MemoryStore();
  await store.save({ type: "data", name: pack.id }, pack.bytes, signal);
  return await loadPackHeader(store, sealer, pack.id, pack.bytes.length, signal);
}

async function expectDamaged(pack: CraftedPack, problem: RegExp): Promise<void> {
  const expected = { code: "REPOSITORY_DAMAGED", context: { pack: pack.id } };
  await expect(load(pack)).rejects.toMatchObject(expected);
  await expect(load(pack)).rejects.toThrow(problem);
  expect(() => packHeaderOf(sealer, pack.bytes, pack.id)).toThrow(problem);
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function withLength(pack: CraftedPack, headerLength: number): CraftedPack {
  const bytes = Uint8Array.from(pack.bytes);
  new DataView(bytes.buffer).setUint32(bytes.length - 4, headerLength, true);
  return { ...pack, bytes, id: hexOf(hashOf(bytes)) };
}

describe("the header of a stored pack", () => {
  it("lists blobs of every type with offsets and lengths, in physical order", async () => {
    const blobs: CraftedBlob[] = [
      { plain: text("plain data") },
      { plain: text('{"nodes":[]}\n'), isTree: true },
      { plain: new Uint8Array(5000), frame: zstdCompressSync(new Uint8Array(5000)) },
      {
        plain: text("t".repeat(300)),
        isTree: true,
        frame: zstdCompressSync(text("t".repeat(300))),
      },
      { plain: new Uint8Array(0) },
    ];
    const pack = craftPack(sealer, blobs);
    const listed = await load(pack);
    expect(listed.map((blob) => [hexOf(blob.id), blob.isTree, blob.plainLength])).toEqual(
      blobs.map(({ plain, isTree = false, frame }) => [
        hexOf(hashOf(plain)),
        isTree,
        frame === undefined ? 0 : plain.length,
      ]),
    );
    let offset = 0;
    for (const [i, blob] of listed.entries()) {
      expect(blob.offset).toBe(offset);
      expect(blob.length).toBe((blobs[i].frame ?? blobs[i].plain).length + 32);
      const sealed = pack.bytes.subarray(offset, offset + blob.length);
      expect(hexOf(sealer.open(sealed) ?? text("broken"))).toBe(
        hexOf(new Uint8Array(blobs[i].frame ?? blobs[i].plain)),
      );
      offset += blob.length;
    }
    expect(packHeaderOf(sealer, pack.bytes, pack.id).blobs).toEqual(listed);
  });

  it("is read with one small request where it is small, with two where it is long", async () => {
    class CountingStore extends MemoryStore {
      readonly ranges: (number | undefined)[] = [];
      override async load(...[handle, range, aborting]: Parameters<MemoryStore["load"]>) {
        this.ranges.push(range?.length);
        return await super.load(handle, range, aborting);
      }
    }
    const many = Array.from({ length: 2000 }, (_, i) => ({ plain: text(`blob ${i}`) }));
    for (const [blobs, requests] of [
      [[{ plain: new Uint8Array(100_000) }], 1],
      [many, 2],
    ] as const) {
      const pack = craftPack(sealer, blobs);
      const store = new CountingStore();
      await store.save({ type: "data", name: pack.id }, pack.bytes, signal);
      const read = await readPackHeader(store, sealer, pack.id, pack.bytes.length, signal);
      expect(read.blobs).toHaveLength(blobs.length);
      expect(hexOf(read.header)).toBe(hexOf(pack.header));
      expect(store.ranges).toHaveLength(requests);
      expect(Math.max(...store.ranges.map((length) => length ?? Infinity))).toBeLessThan(100_000);
    }
  });

  it("is refused if the pack is empty, cut or shorter than any pack", async () => {
    const pack = craftPack(sealer, [{ plain: text("hello\n") }]);
    for (const length of [0, 1, 4, 36, 72]) {
      const bytes = pack.bytes.slice(pack.bytes.length - length);
      await expectDamaged({ ...pack, bytes, id: hexOf(hashOf(bytes)) }, /shorter than a pack/);
    }
  });

  it("is refused if its length is zero, below one entry, beyond the pack or beyond 16 MiB", async () => {
    const pack = craftPack(sealer, [{ plain: text("hello\n") }]);
    const tooShort = /shorter than one entry/;
    for (const length of [0, 1, 32, 68]) await expectDamaged(withLength(pack, length), tooShort);
    for (const length of [pack.bytes.length - 3, pack.bytes.length, headerBytesMax])
      await expectDamaged(withLength(pack, length), /longer than the pack/);
    for (const length of [headerBytesMax + 1, 0x7fffffff, 0xffffffff])
      await expectDamaged(withLength(pack, length), /longer than 16 MiB/);
  });

  it("is refused if another key or a flipped bit broke its seal", async () => {
    const pack = craftPack(sealer, [{ plain: text("hello\n") }]);
    for (const distance of [5, 30, 60, 73]) {
      const bytes = Uint8Array.from(pack.bytes);
      bytes[bytes.length - distance] ^= 0x10;
      await expectDamaged({ ...pack, bytes, id: hexOf(hashOf(bytes)) }, /seal of its header/);
    }
  });

  it("is refused if its blobs do not fill the pack exactly", async () => {
    const sealed = sealer.seal(text("hello\n"));
    const entry = craftEntry({ plain: text("hello\n") }, sealed.length);
    const body = Buffer.concat([sealed, sealed]);
    const unaccounted = /does not account for all its bytes/;
    await expectDamaged(closePack(sealer, body, entry), unaccounted);
    await expectDamaged(closePack(sealer, sealed, Buffer.concat([entry, entry])), unaccounted);
    await expectDamaged(closePack(sealer, new Uint8Array(0), entry), unaccounted);
    const huge = craftEntry({ plain: text("hello\n") }, 0xffffffff);
    await expectDamaged(closePack(sealer, sealed, huge), unaccounted);
    await expect(
      load(closePack(sealer, body, Buffer.concat([entry, entry]))),
    ).resolves.toHaveLength(2);
  });

  it("is refused if an entry is cut, of unknown type, or tells impossible lengths", async () => {
    const plain = text("hello\n");
    const sealed = sealer.seal(plain);
    const entry = craftEntry({ plain }, sealed.length);
    const frame = zstdCompressSync(plain);
    const compressed = craftEntry({ plain, frame }, sealed.length);
    const malformed = /its header is malformed/;
    const cut = Buffer.concat([entry, entry.subarray(0, 36)]);
    await expectDamaged(closePack(sealer, sealed, cut), malformed);
    const cutCompressed = Buffer.concat([entry, compressed.subarray(0, 38)]);
    await expectDamaged(closePack(sealer, sealed, cutCompressed), malformed);
    for (const type of [4, 0x80, 0xff]) {
      const unknown = Uint8Array.from(entry);
      unknown[0] = type;
      await expectDamaged(closePack(sealer, sealed, unknown), malformed);
    }
    for (const length of [0, 31])
      await expectDamaged(
        closePack(sealer, sealed.subarray(0, length), craftEntry({ plain }, length)),
        malformed,
      );
    const nothing = craftEntry({ plain, frame, claimedPlainLength: 0 }, sealed.length);
    await expectDamaged(closePack(sealer, sealed, nothing), malformed);
  });

  it("rejects with the store's error if the pack is gone or shorter than was said", async () => {
    const pack = craftPack(sealer, [{ plain: text("hello\n") }]);
    const store = new MemoryStore();
    const loading = (size: number) => loadPackHeader(store, sealer, pack.id, size, signal);
    await expect(loading(500)).rejects.toMatchObject({ code: "STORE_NOT_FOUND" });
    await store.save({ type: "data", name: pack.id }, pack.bytes, signal);
    await expect(loading(500)).rejects.toMatchObject({ code: "STORE_RANGE" });
    const aborted = AbortSignal.abort();
    await expect(
      loadPackHeader(store, sealer, pack.id, pack.bytes.length, aborted),
    ).rejects.toMatchObject({ name: "AbortError" });
  });

  it("never throws anything but a typed error, whatever the sealed header holds", () => {
    const body = sealer.seal(text("hello\n"));
    const entries = fc.array(
      fc.tuple(
        fc.integer({ min: 0, max: 5 }),
        fc.oneof(fc.constant(38), fc.nat({ max: 0xffffffff })),
        fc.uint8Array({ maxLength: 40 }),
      ),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(entries, (parts) => {
        const header = Buffer.concat(
          parts.map(([type, length, rest]) => {
            const head = Buffer.alloc(5);
            head[0] = type;
            head.writeUInt32LE(length, 1);
            return Buffer.concat([head, rest]);
          }),
        );
        const pack = closePack(sealer, body, header);
        try {
          const { blobs } = packHeaderOf(sealer, pack.bytes, pack.id);
          expect(blobs.reduce((sum, blob) => sum + blob.length, 0)).toBe(body.length);
        } catch (error) {
          expect(error).toMatchObject({ code: "REPOSITORY_DAMAGED" });
        }
      }),
    );
  });
});
