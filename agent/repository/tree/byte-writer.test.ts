import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "./byte-writer.ts";

const textOf = (out: ByteWriter) => Buffer.from(out.written()).toString("latin1");
const written = (write: (out: ByteWriter) => void) => {
  const out = new ByteWriter(1);
  write(out);
  return textOf(out);
};
const maximumU64 = 2n ** 64n - 1n;

describe("ByteWriter", () => {
  it("keeps what was written when it grows", () => {
    const out = new ByteWriter(1);
    let expected = "";
    for (let part = 1; part < 100; part += 1) {
      out.byte(0x41 + (part % 26));
      out.ascii(`<${part}>`);
      out.raw(Buffer.from("raw".repeat(part)), 1);
      expected += `${String.fromCharCode(0x41 + (part % 26))}<${part}>${"raw".repeat(part).slice(1)}`;
    }
    expect(textOf(out)).toBe(expected);
    expect(Buffer.from(out.copy()).toString("latin1")).toBe(expected);
    expect(out.view.buffer).toBe(out.bytes.buffer);
  });

  it("starts over when its length is set back", () => {
    const out = new ByteWriter();
    out.ascii("first");
    out.length = 0;
    out.ascii("2nd");
    expect(textOf(out)).toBe("2nd");
  });

  it("writes every whole number as JavaScript does", () => {
    const edges = Array.from({ length: 16 }, (_, power) => 10 ** power);
    for (const edge of [0, ...edges, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      for (const value of [edge - 1, edge, edge + 1]) {
        if (value < 0 || value > Number.MAX_SAFE_INTEGER) continue;
        expect(written((out) => out.decimal(value))).toBe(String(value));
      }
    }
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(written((out) => out.decimal(value))).toBe(String(value));
      }),
    );
  });

  it("writes every number of 64 bits exactly", () => {
    const check = (value: bigint) => {
      const low = Number(value & 0xffffffffn);
      const high = Number(value >> 32n);
      expect(written((out) => out.decimalU64(low, high))).toBe(String(value));
    };
    for (const power of [0n, 31n, 32n, 52n, 53n, 54n, 63n]) {
      for (const value of [2n ** power - 1n, 2n ** power, 2n ** power + 1n]) check(value);
    }
    for (let power = 0n; power < 20n; power += 1n) check(10n ** power);
    check(maximumU64);
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: maximumU64 }), check));
  });

  it("writes hex and base64 of any part as Node does", () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(bytes, fc.nat(20), (source, skipped) => {
        const start = Math.min(skipped, source.length);
        const part = Buffer.from(source.subarray(start));
        expect(written((out) => out.hex(source, start, part.length))).toBe(part.toString("hex"));
        expect(written((out) => out.base64(source, start))).toBe(part.toString("base64"));
      }),
    );
  });
});
