/** Index files: what is written, everything that readers must take, and everything that they must not. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hexOf } from "../../../test/repository/crafted-packs.ts";
import { indexJson } from "../../../test/repository/index-json.ts";
import { decodeHeader, writeHeaderEntry } from "../pack/pack-header.ts";
import { decodeIndex, type ListedPack } from "./index-file.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const decode = (json: string): ListedPack[] => [...decodeIndex(text(json), "index/ab")];
const shown = (packs: readonly ListedPack[]) =>
  packs.map(({ id, blobs }) => ({
    id,
    blobs: blobs.map((blob) => ({ ...blob, id: hexOf(blob.id) })),
  }));
const nameOf = (i: number): string => i.toString(16).padStart(64, "0");

const anyBlob = fc.record({
  isTree: fc.boolean(),
  length: fc.integer({ min: 32, max: 0x00ffffff }),
  plainLength: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 0xffffffff })),
});

/** A header with these blobs. */
function headerOf(blobs: readonly { isTree: boolean; length: number; plainLength: number }[]) {
  const view = new DataView(new ArrayBuffer(blobs.length * 41));
  let at = 0;
  for (const { isTree, length, plainLength } of blobs)
    at = writeHeaderEntry(
      view,
      at,
      new Uint8Array(randomBytes(32)),
      0,
      isTree,
      length,
      plainLength,
    );
  return new Uint8Array(view.buffer, 0, at);
}

interface Entry {
  id?: unknown;
  type?: unknown;
  offset?: unknown;
  length?: unknown;
  uncompressed_length?: unknown;
}
const goodBlob: Entry = {
  id: nameOf(2),
  type: "data",
  offset: 10,
  length: 47,
  uncompressed_length: 6,
};
const withBlob = (blob: unknown): string =>
  JSON.stringify({ packs: [{ id: nameOf(1), blobs: [blob] }] });
const decodedGood = [
  {
    id: nameOf(1),
    blobs: [{ id: nameOf(2), isTree: false, offset: 10, length: 47, plainLength: 6 }],
  },
];

describe("an index file", () => {
  it("is written as restic writes it", () => {
    const header = headerOf([
      { isTree: false, length: 100, plainLength: 0 },
      { isTree: true, length: 50, plainLength: 70 },
    ]);
    const packs = [{ id: new Uint8Array(32).fill(0xab), header }];
    const [first, second] = decodeHeader(header, "pack").map((blob) => hexOf(blob.id));
    expect(Buffer.from(indexJson(packs)).toString()).toBe(
      `{"packs":[{"id":"${"ab".repeat(32)}","blobs":[` +
        `{"id":"${first}","type":"data","offset":0,"length":100},` +
        `{"id":"${second}","type":"tree","offset":100,"length":50,"uncompressed_length":70}]}]}\n`,
    );
    expect(Buffer.from(indexJson([])).toString()).toBe('{"packs":[]}\n');
  });

  it("comes back as it was written", () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyBlob, { maxLength: 90 }), { maxLength: 5 }), (contents) => {
        const packs = contents.map((blobs) => ({
          id: new Uint8Array(randomBytes(32)),
          header: headerOf(blobs),
        }));
        const listed = [...decodeIndex(indexJson(packs), "index/ab")];
        expect(listed).toEqual(
          packs.map(({ id, header }) => ({ id: hexOf(id), blobs: decodeHeader(header, "pack") })),
        );
      }),
    );
  });

  it("is read in any order of fields, with white space, escapes in names, and fields of others", () => {
    const pretty = JSON.stringify(
      {
        supersedes: [nameOf(9)],
        time: "2024-01-01T00:00:00Z",
        packs: [
          {
            size: 12345,
            blobs: [
              {
                length: 47,
                extra: { deep: [1, [2, { x: null }]] },
                uncompressed_length: 6,
                type: "data",
                offset: 10,
                id: nameOf(2),
              },
            ],
            time: null,
            id: nameOf(1),
          },
        ],
        packs_to_delete: [{ id: nameOf(7), blobs: [{ id: "not looked at" }] }],
      },
      undefined,
      2,
    );
    expect(shown(decode(pretty))).toEqual(decodedGood);
    expect(shown(decode(withBlob(goodBlob)))).toEqual(decodedGood);
    const spaced = withBlob(goodBlob).replaceAll(":", " : ").replaceAll(",", "\n,\t");
    expect(shown(decode(spaced))).toEqual(decodedGood);
    const nullLength = decode(withBlob({ ...goodBlob, uncompressed_length: null }));
    expect(nullLength[0].blobs[0].plainLength).toBe(0);
  });

  it("may be empty in all the ways that were ever written", () => {
    for (const json of ["{}", '{"packs":null}', '{"packs":[]}\n', ' { "packs" : [ ] } ', '{"x":1}'])
      expect(decode(json), json).toEqual([]);
    for (const blobs of ["[]", "null"])
      expect(decode(`{"packs":[{"id":"${nameOf(1)}","blobs":${blobs}}]}`)).toEqual([
        { id: nameOf(1), blobs: [] },
      ]);
  });

  it("takes positions up to the largest that a pack can have", () => {
    const edge = { ...goodBlob, offset: 0xffffffff - 47, uncompressed_length: 0xffffffff };
    expect(decode(withBlob(edge))[0].blobs[0]).toMatchObject({
      offset: 0xffffffff - 47,
      plainLength: 0xffffffff,
    });
    const least = decode(withBlob({ ...goodBlob, offset: 0, length: 32 }))[0].blobs[0];
    expect(least).toMatchObject({ offset: 0, length: 32 });
  });

  it("keeps duplicates and split packs as they are", () => {
    const json = `{"packs":[${[1, 1, 2].map((i) => `{"id":"${nameOf(i)}","blobs":[${JSON.stringify(goodBlob)},${JSON.stringify(goodBlob)}]}`).join(",")}]}`;
    expect(decode(json).map(({ id, blobs }) => [id, blobs.length])).toEqual([
      [nameOf(1), 2],
      [nameOf(1), 2],
      [nameOf(2), 2],
    ]);
  });

  it("is refused, naming it, if a blob's position, length, type or id can't be true", () => {
    const spoils: Entry[] = [
      { offset: -1 },
      { offset: 1.5 },
      { offset: 2 ** 32 },
      { offset: 2 ** 53 + 2 },
      { offset: "10" },
      { offset: null },
      { offset: undefined },
      { offset: 0xffffffff },
      { length: 31 },
      { length: 0 },
      { length: -47 },
      { length: 2 ** 40 },
      { length: undefined },
      { length: [] },
      { uncompressed_length: -1 },
      { uncompressed_length: 2 ** 40 },
      { uncompressed_length: 2 ** 53 + 2 },
      { uncompressed_length: "6" },
      { uncompressed_length: true },
      { type: "blob" },
      { type: "Data" },
      { type: "" },
      { type: 0 },
      { type: undefined },
      { id: undefined },
      { id: null },
      { id: 7 },
      { id: "ab" },
      { id: nameOf(2).toUpperCase().replace(/0/, "A") },
      { id: `${nameOf(2)}0` },
    ];
    for (const spoil of spoils)
      for (const json of [
        withBlob({ ...goodBlob, ...spoil }),
        withBlob({ extra: 0, ...goodBlob, ...spoil }),
      ])
        expect(() => decode(json), json.slice(80)).toThrow(
          expect.objectContaining({
            code: "REPOSITORY_DAMAGED",
            context: expect.objectContaining({ file: "index/ab" }),
          }),
        );
    for (const number of [
      "01",
      "+1",
      "1e3",
      "1.0",
      "0x10",
      "1_0",
      "99999999999999999999999",
      "--1",
    ])
      for (const field of ["offset", "length", "uncompressed_length"]) {
        const json = withBlob(goodBlob).replace(new RegExp(`("${field}":)\\d+`), `$1${number}`);
        expect(() => decode(json), json.slice(80)).toThrow(
          expect.objectContaining({ code: "REPOSITORY_DAMAGED" }),
        );
      }
  });

  it("is refused if its structure is another", () => {
    for (const json of [
      "",
      " ",
      "null",
      "[]",
      "7",
      '"packs"',
      "{",
      '{"packs":7}',
      '{"packs":{}}',
      '{"packs":[7]}',
      '{"packs":[null]}',
      '{"packs":[[]]}',
      '{"packs":[{}]}',
      `{"packs":[{"blobs":[]}]}`,
      `{"packs":[{"id":"ab","blobs":[]}]}`,
      `{"packs":[{"id":"${nameOf(1)}","blobs":{}}]}`,
      `{"packs":[{"id":"${nameOf(1)}","blobs":[null]}]}`,
      `{"packs":[{"id":"${nameOf(1)}","blobs":[{}]}]}`,
      `${withBlob(goodBlob)}x`,
      `${withBlob(goodBlob)}{}`,
      withBlob(goodBlob).replace("}]}", "},]}"),
      `{"x":${"[".repeat(100_000)}`,
      // The array form of restic 0.1.
      `[{"id":"${nameOf(1)}","blobs":[]}]`,
    ])
      expect(() => decode(json), json.slice(0, 90)).toThrow(
        expect.objectContaining({ code: "REPOSITORY_DAMAGED" }),
      );
  });

  it("gives what stands before the damage", () => {
    const json = withBlob(goodBlob).replace("]}", `]},{"id":"${nameOf(3)}","blobs":[{"id":7}]}`);
    const seen: string[] = [];
    expect(() => {
      for (const { id } of decodeIndex(text(json), "index/ab")) seen.push(id);
    }).toThrow();
    expect(seen).toEqual([nameOf(1)]);
  });

  it("is read as JSON.parse reads it, or refused, wherever it is cut or changed", () => {
    const json = text(
      `${withBlob(goodBlob).slice(0, -4)},${JSON.stringify({ ...goodBlob, type: "tree", offset: 57 })}]}]}\n`,
    );
    const outcome = (bytes: Uint8Array): unknown => {
      try {
        return shown([...decodeIndex(bytes, "index/ab")]);
      } catch (error) {
        expect(error).toMatchObject({ code: "REPOSITORY_DAMAGED" });
        return "refused";
      }
    };
    expect(outcome(json)).not.toBe("refused");
    for (let length = 0; length < json.length - 1; length += 1)
      expect(outcome(json.subarray(0, length)), `${length}`).toBe("refused");
    fc.assert(
      fc.property(
        fc.nat({ max: json.length - 1 }),
        fc.integer({ min: 0, max: 255 }),
        (at, byte) => {
          const changed = Uint8Array.from(json);
          changed[at] = byte;
          const read = outcome(changed);
          if (read === "refused") return;
          const parsed = JSON.parse(Buffer.from(changed).toString()) as {
            packs?: { id: string; blobs: Record<string, unknown>[] }[];
          };
          expect(read).toEqual(
            (parsed.packs ?? []).map(({ id, blobs }) => ({
              id,
              blobs: (blobs ?? []).map((blob) => ({
                id: blob["id"],
                isTree: blob["type"] === "tree",
                offset: blob["offset"],
                length: blob["length"],
                plainLength: blob["uncompressed_length"] ?? 0,
              })),
            })),
          );
        },
      ),
      { numRuns: 3000 },
    );
  });
});
