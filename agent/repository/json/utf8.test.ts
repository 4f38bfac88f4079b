import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { writeGoString } from "./go-string.ts";
import { isUtf8, utf8Bytes, utf8Text } from "./utf8.ts";

const pieces = fc.oneof(
  fc.string({ unit: "binary" }).map((text) => utf8Bytes(text)),
  fc.uint8Array({ maxLength: 6 }),
  fc
    .constantFrom([0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xed, 0xa0, 0x80], [0xef, 0xbf, 0xbd], [0xc3])
    .map((bytes) => Uint8Array.from(bytes)),
);
const anyBytes = fc
  .array(pieces, { maxLength: 6 })
  .map((list) => new Uint8Array(Buffer.concat(list)));

describe("utf8Text", () => {
  it("makes one replacement character of each invalid byte", () => {
    const text = (...bytes: number[]): string => utf8Text(Uint8Array.from(bytes));
    expect(text(0x61, 0xe2, 0x82, 0x62)).toBe("a\ufffd\ufffdb");
    expect(text(0xf0, 0x9f, 0x98)).toBe("\ufffd\ufffd\ufffd");
    expect(text(0xed, 0xa0, 0x80, 0xef, 0xbf, 0xbd)).toBe("\ufffd\ufffd\ufffd\ufffd");
    expect(text(0xef, 0xbb, 0xbf, 0xff)).toBe("\ufeff\ufffd");
    expect(text()).toBe("");
  });

  it("reads any bytes as Go does, and valid ones exactly", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const text = utf8Text(bytes);
        const json = new Uint8Array(bytes.length * 6);
        const end = writeGoString(json, 0, bytes, 0, bytes.length);
        const inJson = `"${Buffer.from(json.subarray(0, end)).toString("utf8")}"`;
        expect(text).toBe(JSON.parse(inJson));
        expect(isUtf8(utf8Bytes(text))).toBe(true);
        if (isUtf8(bytes)) expect(Buffer.compare(utf8Bytes(text), bytes)).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});
