/** Which data is compressed, and how hard. */
import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { openCodec } from "../../../platform/open-codec.ts";
import { compressionModes, dataLevel, looksCompressible, treeLevel } from "./compression.ts";

const codec = openCodec();
const scratch = new Uint8Array(16 * 1024);
const looks = (data: Uint8Array, offset = 0, length = data.length) =>
  looksCompressible(codec, data, offset, length, scratch);

describe("the choice of compression", () => {
  it("never compresses data in the mode `off`, but trees in every mode", () => {
    expect(dataLevel("off", 100)).toBeUndefined();
    for (const mode of compressionModes) {
      expect(treeLevel(mode)).toBeGreaterThanOrEqual(1);
      if (mode === "off") continue;
      for (const length of [0, 100, 64 * 1024, 64 * 1024 + 1, 8 * 1024 * 1024]) {
        const level = dataLevel(mode, length) ?? 99;
        expect(level >= -7 && level <= 19).toBe(true);
      }
    }
  });

  it("works harder from mode to mode", () => {
    for (const length of [1000, 1_000_000]) {
      const levels = compressionModes.slice(1).map((mode) => dataLevel(mode, length) ?? -99);
      expect(levels).toEqual(levels.toSorted((a, b) => a - b));
    }
  });

  it("leaves large noise alone, and sees text anywhere among its samples", () => {
    const noise = new Uint8Array(randomBytes(1024 * 1024));
    expect(looks(noise)).toBe(false);
    expect(looks(noise.subarray(0, 256 * 1024 - 1))).toBe(true);
    for (const at of [0, noise.length - 8192]) {
      const mixed = Uint8Array.from(noise);
      mixed.fill(0x20, at, at + 8192);
      expect(looks(mixed)).toBe(true);
    }
    const shifted = new Uint8Array(noise.length + 100);
    shifted.set(noise, 100);
    expect(looks(shifted, 100, noise.length)).toBe(false);
    expect(looks(noise, 0, 256 * 1024)).toBe(false);
  });
});
