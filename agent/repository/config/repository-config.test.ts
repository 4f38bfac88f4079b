/** The config file: round trip, what restic would refuse too, and the test for irreducible polynomials. */
import { describe, expect, it } from "vitest";
import { craftedSealer } from "../../../test/repository/crafted-packs.ts";
import { isIrreducible, polynomialDegree, randomPolynomial } from "./polynomial.ts";
import { configBytesMax, decodeConfig, encodeConfig, generateConfig } from "./repository-config.ts";

const sealer = craftedSealer();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const good = {
  version: 2,
  id: "ab".repeat(32),
  chunker_polynomial: "3da3358b4dc173",
};
const decode = (json: unknown) =>
  decodeConfig(sealer, sealer.seal(text(typeof json === "string" ? json : JSON.stringify(json))));

describe("the config", () => {
  it("comes back as it was written, sealed and not compressed", () => {
    for (let i = 0; i < 5; i += 1) {
      const config = generateConfig();
      const stored = encodeConfig(sealer, config);
      expect(decodeConfig(sealer, stored)).toEqual(config);
      expect(sealer.open(stored)?.[0]).toBe("{".charCodeAt(0));
    }
  });

  it("is accepted in versions 1 and 2, with fields that others add", () => {
    expect(decode(good)).toEqual({
      version: 2,
      id: good.id,
      polynomial: 0x3da3358b4dc173n,
    });
    expect(decode({ ...good, version: 1 }).version).toBe(1);
    expect(decode({ ...good, is_hot: true, append_only: null }).version).toBe(2);
  });

  it("is refused as unsupported for any other version", () => {
    for (const version of [0, 3, 2.5, "2", null, -1, undefined, {}, 2 ** 60])
      expect(() => decode({ ...good, version }), JSON.stringify(version) ?? "none").toThrow(
        expect.objectContaining({ code: "REPOSITORY_UNSUPPORTED" }),
      );
  });

  it("is refused as damaged if a field is wrong or the polynomial reducible", () => {
    const { id: _, ...withoutId } = good;
    const damaged: unknown[] = [
      "",
      "no JSON",
      "null",
      "[]",
      '{"version":2',
      withoutId,
      { ...good, id: good.id.toUpperCase() },
      { ...good, id: good.id.slice(2) },
      { ...good, id: 7 },
      { ...good, chunker_polynomial: "" },
      { ...good, chunker_polynomial: "0" },
      { ...good, chunker_polynomial: "1" },
      { ...good, chunker_polynomial: "3da3358b4dc172" },
      { ...good, chunker_polynomial: "0x3da3358b4dc173" },
      { ...good, chunker_polynomial: "3DA3358B4DC173" },
      { ...good, chunker_polynomial: "f".repeat(17) },
      { ...good, chunker_polynomial: 0x3da3358b },
      // x^61 + x^5 + x^2 + x + 1 is irreducible, but its degree breaks restic's tables.
      { ...good, chunker_polynomial: (2n ** 61n + 0b100111n).toString(16) },
      "[".repeat(100_000),
      `{"version":2,"id":"${" ".repeat(configBytesMax)}"}`,
    ];
    for (const json of damaged)
      expect(() => decode(json), JSON.stringify(json).slice(0, 90)).toThrow(
        expect.objectContaining({ code: "REPOSITORY_DAMAGED" }),
      );
  });

  it("is refused as damaged if it is cut, flipped, compressed, or sealed by another key", () => {
    const stored = encodeConfig(sealer, generateConfig());
    const damaged = expect.objectContaining({ code: "REPOSITORY_DAMAGED" });
    for (const length of [0, 1, 31, 32, stored.length - 1])
      expect(() => decodeConfig(sealer, stored.subarray(0, length))).toThrow(damaged);
    for (let at = 0; at < stored.length; at += 7) {
      const flipped = Uint8Array.from(stored);
      flipped[at] ^= 0x40;
      expect(() => decodeConfig(sealer, flipped)).toThrow(damaged);
    }
    const compressed = Buffer.concat([Buffer.of(2), text(JSON.stringify(good))]);
    expect(() => decodeConfig(sealer, sealer.seal(compressed))).toThrow(damaged);
  });
});

describe("polynomials over GF(2)", () => {
  /** By trial division, for small ones. */
  const hasFactor = (polynomial: bigint): boolean => {
    const degree = polynomialDegree(polynomial);
    for (let divisor = 2n; polynomialDegree(divisor) <= degree / 2; divisor += 1n) {
      let rest = polynomial;
      while (polynomialDegree(rest) >= polynomialDegree(divisor))
        rest ^= divisor << BigInt(polynomialDegree(rest) - polynomialDegree(divisor));
      if (rest === 0n) return true;
    }
    return false;
  };

  it("are irreducible exactly if no smaller one divides them", () => {
    for (let polynomial = 2n; polynomial < 2048n; polynomial += 1n)
      expect(isIrreducible(polynomial), polynomial.toString(2)).toBe(!hasFactor(polynomial));
    expect(isIrreducible(0n)).toBe(false);
    expect(isIrreducible(1n)).toBe(false);
  });

  it("are known to be irreducible, or not, at restic's degree", () => {
    expect(isIrreducible(0x3da3358b4dc173n)).toBe(true);
    expect(isIrreducible(0x3da3358b4dc172n)).toBe(false);
    expect(isIrreducible(0x3da3358b4dc171n)).toBe(false);
    // (x^26 + … )·(x^27 + …): a product of two has no other factors to be found early.
    let product = 0n;
    const [first, second] = [2n ** 26n + 0b1000111n, 2n ** 27n + 0b100111n];
    for (let bit = 0n; bit <= 27n; bit += 1n) if ((second >> bit) & 1n) product ^= first << bit;
    expect(polynomialDegree(product)).toBe(53);
    expect(isIrreducible(product)).toBe(false);
  });

  it("are drawn irreducible, of degree 53, each time another", () => {
    const drawn = Array.from({ length: 3 }, () => randomPolynomial());
    for (const polynomial of drawn) {
      expect(polynomialDegree(polynomial)).toBe(53);
      expect(isIrreducible(polynomial)).toBe(true);
    }
    expect(new Set(drawn).size).toBe(3);
  });
});
