import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../backstay-error.ts";
import { privateKeyOf, publicKeyOf, rawPublicKey } from "./curve-keys.ts";
import {
  encodeEnrolmentToken,
  isForkProof,
  isTokenProof,
  parseEnrolmentToken,
  proveFork,
  proveToken,
} from "./enrolment-token.ts";

const seed = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const token = {
  u: ["https://backup.example:8443", "http://10.0.0.1"],
  p: ["sha256/kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"],
  i: "0198f3c0-1111-7abc-8def-0123456789ab",
  s: seed,
  x: 1_798_761_600,
};
/** Of the first version. */
const recorded =
  "bk1_eyJ1IjpbImh0dHBzOi8vYmFja3VwLmV4YW1wbGU6ODQ0MyIsImh0dHA6Ly8xMC4wLjAuMSJdLCJwIjpbInNoYTI1Ni9rUHJLX3FteFZXYVlWQTl3d0JGNkl1bzN2Vnp6N1R4SENUd1hCeWdyUzRrIl0sImkiOiIwMTk4ZjNjMC0xMTExLTdhYmMtOGRlZi0wMTIzNDU2Nzg5YWIiLCJzIjoibldHeG5lXzlXbUM2aEVyMGt1d3N4RVJKeFdsN01ta1pjRHVzQXh5dWYyQSIsIngiOjE3OTg3NjE2MDB9";

describe("an enrolment token", () => {
  it("is written and read as recorded", () => {
    expect(encodeEnrolmentToken(token)).toBe(recorded);
    expect(parseEnrolmentToken(recorded)).toEqual(token);
  });

  it("may have been wrapped, quoted and padded on its way", () => {
    const wrapped = recorded.replaceAll(/(.{60})/g, "$1\r\n  ");
    for (const pasted of [wrapped, ` "${recorded}"\n`, `\ufeff<${recorded}>`, `${recorded}\u200b`])
      expect(parseEnrolmentToken(pasted)).toEqual(token);
  });

  it("ignores what later versions put into it", () => {
    const later = Buffer.from(JSON.stringify({ ...token, z: 1 })).toString("base64url");
    expect(parseEnrolmentToken(`bk1_${later}`)).toEqual(token);
  });

  it("is refused with what is wrong, never with its text", () => {
    const incomplete = Buffer.from(JSON.stringify({ ...token, s: "x" })).toString("base64url");
    const cases: readonly [string, RegExp][] = [
      ["", /empty/],
      ["hello", /begins with bk1_/],
      [recorded.replace("bk1_", "bk2_"), /newer version/],
      [recorded.slice(0, -9), /cut off/],
      [`${recorded}!`, /characters/],
      [`bk1_${"A".repeat(9000)}`, /too long/],
      [`bk1_${incomplete}`, /not complete/],
      ["bk1_bnVsbA", /not complete/],
    ];
    for (const [text, problem] of cases) {
      const error = refusalOf(text);
      expect(error).toMatch(problem);
      expect(error).not.toContain(text.slice(10) || "bk1_ey");
    }
  });
});

describe("proofs", () => {
  const [a, b] = [1, 2].map(() => rawPublicKey(generateKeyPairSync("ed25519").publicKey));
  const keys = { identityKey: a, sealingKey: b, timeMs: 1.5 };

  it("of a token bind it to the keys", () => {
    const tokenKey = publicKeyOf("ed25519", rawPublicKey(privateKeyOf("ed25519", seed)));
    const proof = proveToken(token, keys);
    expect(isTokenProof(proof, token.i, keys, tokenKey)).toBe(true);
    expect(isTokenProof(proof, token.i, { ...keys, identityKey: b }, tokenKey)).toBe(false);
    expect(isTokenProof(proof, token.i, { ...keys, sealingKey: a }, tokenKey)).toBe(false);
    expect(isTokenProof(proof, "other", keys, tokenKey)).toBe(false);
    expect(isTokenProof(proof, token.i, keys, publicKeyOf("ed25519", a))).toBe(false);
    expect(isTokenProof(`${proof.slice(0, -8)}AAAAAAAA`, token.i, keys, tokenKey)).toBe(false);
    expect(isTokenProof("", token.i, keys, tokenKey)).toBe(false);
    expect(proof).not.toContain(seed);
  });

  it("of a fork are no proofs of a token, and the other way round", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const fork = proveFork("agent", keys, privateKey);
    expect(isForkProof(fork, "agent", keys, publicKey)).toBe(true);
    expect(isForkProof(fork, "another", keys, publicKey)).toBe(false);
    expect(isTokenProof(fork, "agent", keys, publicKey)).toBe(false);
    const proof = proveToken(token, keys);
    expect(isForkProof(proof, token.i, keys, privateKeyOf("ed25519", seed))).toBe(false);
  });
});

/** What parsing says. */
function refusalOf(text: string): string {
  try {
    parseEnrolmentToken(text);
  } catch (error) {
    if (isBackstayError(error, "ENROLMENT_TOKEN_INVALID")) return error.message;
    throw error;
  }
  return "taken";
}
