import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c, crc32cText } from "./crc32c.ts";

describe("crc32c", () => {
  it("is what RFC 3720 and others say it is", () => {
    const known: [data: Uint8Array, crc: number][] = [
      [new Uint8Array(0), 0],
      [Buffer.from("123456789"), 0xe3069283],
      [new Uint8Array(32), 0x8a9136aa],
      [new Uint8Array(32).fill(0xff), 0x62a8ab43],
      [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
      [Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ];
    for (const [data, crc] of known) expect(crc32c(data)).toBe(crc);
  });
  it("goes on from what came before, wherever that ends", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(7), (data, any, shift) => {
        const at = any % (data.length + 1);
        // Bytes that begin anywhere in memory.
        const moved = new Uint8Array(data.length + shift).subarray(shift);
        moved.set(data);
        expect(crc32c(moved.subarray(at), crc32c(moved.subarray(0, at)))).toBe(crc32c(data));
      }),
    );
  });
  it("is written as Google writes it", () => {
    expect(crc32cText(0xe3069283)).toBe("4waSgw==");
    expect(crc32cText(0)).toBe("AAAAAA==");
  });
});
