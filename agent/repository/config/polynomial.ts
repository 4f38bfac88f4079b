/** Polynomials over GF(2), as bits of a bigint: restic's chunker wants an irreducible one of degree 53. */
import { randomBytes } from "node:crypto";

/** Degree of a polynomial; -1 for zero. */
export function polynomialDegree(polynomial: bigint): number {
  return polynomial === 0n ? -1 : polynomial.toString(2).length - 1;
}

/** A random irreducible polynomial of degree 53. */
export function randomPolynomial(): bigint {
  for (;;) {
    const bits = randomBytes(8).readBigUInt64LE() & ((1n << 54n) - 1n);
    const candidate = bits | (1n << 53n) | 1n;
    if (isIrreducible(candidate)) return candidate;
  }
}

/** Ben-Or's test: no factor of degree up to half of its own. */
export function isIrreducible(polynomial: bigint): boolean {
  const degree = polynomialDegree(polynomial);
  if (degree < 1) return false;
  let power = 2n;
  for (let i = 1; i <= degree >> 1; i += 1) {
    power = remainder(square(power), polynomial);
    if (greatestDivisor(polynomial, power ^ 2n) !== 1n) return false;
  }
  return true;
}

function remainder(dividend: bigint, divisor: bigint): bigint {
  const degree = polynomialDegree(divisor);
  let rest = dividend;
  for (let excess = polynomialDegree(rest) - degree; excess >= 0; ) {
    rest ^= divisor << BigInt(excess);
    excess = polynomialDegree(rest) - degree;
  }
  return rest;
}

/** Squaring spreads the bits: (a + b)² = a² + b² over GF(2). */
function square(polynomial: bigint): bigint {
  return BigInt(`0b${[...polynomial.toString(2)].join("0")}`);
}

function greatestDivisor(a: bigint, b: bigint): bigint {
  let [high, low] = [a, b];
  while (low !== 0n) [high, low] = [low, remainder(high, low)];
  return high;
}
