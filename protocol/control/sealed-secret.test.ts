import fc from "fast-check";
import { CompactEncrypt, compactDecrypt, importJWK } from "jose";
import { expect, it } from "vitest";
import { newPrivateKey, privateKeyOf, rawPrivateKey, rawPublicKey } from "./curve-keys.ts";
import { openSecret, sealSecret, secretBytesMax } from "./sealed-secret.ts";

// Bob's key of RFC 7748, section 6.1.
const seed = "XasIfmJKikt54X-Lg4AO5m87sSkmGLb9HC-LJ_-I4Os";
const privateKey = privateKeyOf("x25519", seed);
const publicKey = rawPublicKey(privateKey);
const text = Buffer.from("pässword");
const recorded =
  "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkdDTSIsImVwayI6eyJrdHkiOiJPS1AiLCJjcnYiOiJYMjU1MTkiLCJ4IjoiRkxYVkhjU2VZamhaXzIzM3FoNWZIQ1NJM0ZlS0xieTk5Nlc3RktsZWswTSJ9fQ..dlwhKL3kaCWaY27J.19uujUuNeUn_.uGwJkiGp5o6mI33h_IHZHw";

it("the key of RFC 7748 has the public half that is printed there", () => {
  expect(publicKey).toBe("3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08");
});

it("what was recorded is opened", () => {
  expect(openSecret(recorded, privateKey)).toEqual(text);
});

it("each sealing differs, and all are opened", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (secret) => {
      const [first, second] = [sealSecret(secret, publicKey), sealSecret(secret, publicKey)];
      expect(first).not.toBe(second);
      for (const sealed of [first, second])
        expect(openSecret(sealed, privateKey).equals(secret)).toBe(true);
    }),
    { numRuns: 50 },
  );
  const largest = Buffer.alloc(secretBytesMax, 7);
  expect(openSecret(sealSecret(largest, publicKey), privateKey)).toEqual(largest);
});

it("another implementation opens ours, and we open what it seals", async () => {
  const jwk = { kty: "OKP", crv: "X25519", x: publicKey };
  const theirKey = await importJWK({ ...jwk, d: rawPrivateKey(privateKey) }, "ECDH-ES");
  const read = await compactDecrypt(sealSecret(text, publicKey), theirKey);
  expect(Buffer.from(read.plaintext)).toEqual(text);
  const theirs = await new CompactEncrypt(text)
    .setProtectedHeader({ alg: "ECDH-ES", enc: "A256GCM" })
    .encrypt(await importJWK(jwk, "ECDH-ES"));
  expect(openSecret(theirs, privateKey)).toEqual(text);
});

it("what was sealed to another key is not opened", () => {
  const sealed = sealSecret(text, publicKey);
  expect(() => openSecret(sealed, newPrivateKey("x25519"))).toThrow("sealed to this key");
});

it("what has any character changed, or is cut, is not opened", () => {
  fc.assert(
    fc.property(
      fc.nat(recorded.length - 1),
      fc.constantFrom(..."AZaz09-_.= é"),
      (position, character) => {
        fc.pre(recorded[position] !== character);
        const changed = recorded.slice(0, position) + character + recorded.slice(position + 1);
        expect(() => openSecret(changed, privateKey)).toThrow("sealed to this key");
      },
    ),
    { numRuns: 500 },
  );
  for (let length = 0; length < recorded.length; length += 1)
    expect(() => openSecret(recorded.slice(0, length), privateKey)).toThrow("sealed to this key");
});

it("keys that make the shared secret known to all are refused", () => {
  const zero = Buffer.alloc(32).toString("base64url");
  expect(() => sealSecret(text, zero)).toThrow("not one");
  expect(() => sealSecret(text, "short")).toThrow("not one");
  expect(() => openSecret("x".repeat(1_000_000), privateKey)).toThrow("sealed to this key");
});
