import fc from "fast-check";
import { CompactSign, compactVerify, importJWK } from "jose";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { isBackstayError } from "../backstay-error.ts";
import { signatureTypes } from "./bundle.ts";
import { newPrivateKey, privateKeyOf, rawPrivateKey, rawPublicKey } from "./curve-keys.ts";
import { type SigningKey, signDocument, signedHeader, verifyDocument } from "./signed-document.ts";

const schema = z.object({ type: z.literal("trust"), text: z.string() });
const payload = { type: "trust", text: "grüße" };
// The key of RFC 8037, appendix A.
const seed = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const key: SigningKey = { id: "key-1", privateKey: privateKeyOf("ed25519", seed) };
const known = { id: key.id, key: rawPublicKey(key.privateKey) };
const recorded =
  "eyJhbGciOiJFZERTQSIsInR5cCI6ImJhY2tzdGF5LXRydXN0K2p3cyIsImtpZCI6ImtleS0xIn0.eyJ0eXBlIjoidHJ1c3QiLCJ0ZXh0IjoiZ3LDvMOfZSJ9.eNlzAH--fMriBfR9Ty3rikJYxjEizCzGJMDJQLrvK9sSoLFc_xs9n1yP-SdrGjFOlr19dALoCwh5bPlSRF1SAQ";

function reading(jws: string, keys = [known], charactersMax?: number): unknown {
  const limit = charactersMax === undefined ? {} : { charactersMax };
  return verifyDocument(jws, { type: "trust", schema, keys, ...limit });
}

/** The code of the failure, or `accepted`. */
function verdict(read: () => unknown): string {
  try {
    read();
    return "accepted";
  } catch (error) {
    if (!isBackstayError(error)) throw error;
    return error.code;
  }
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const head = { alg: "EdDSA", typ: signatureTypes.trust, kid: key.id };

/** Signed well, whatever header and payload say. */
async function signed(header: Record<string, unknown>, text: string): Promise<string> {
  const jwk = { kty: "OKP", crv: "Ed25519", d: seed, x: known.key };
  return new CompactSign(Buffer.from(text))
    .setProtectedHeader({ alg: "EdDSA", ...header })
    .sign(await importJWK(jwk, "EdDSA"), { crit: { "x-new": true } });
}

it("the key of RFC 8037 has the public half that is printed there", () => {
  expect(known.key).toBe("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
  expect(rawPrivateKey(key.privateKey)).toBe(seed);
});

it("a document is what was recorded, and is read again", () => {
  expect(signDocument("trust", payload, key)).toBe(recorded);
  expect(reading(recorded)).toEqual(payload);
  expect(signedHeader(recorded)).toEqual({ alg: "EdDSA", typ: "backstay-trust+jws", kid: "key-1" });
});

it("another implementation reads ours, and we read what it signs", async () => {
  const jwk = { kty: "OKP", crv: "Ed25519", x: known.key };
  const read = await compactVerify(recorded, await importJWK(jwk, "EdDSA"));
  expect(JSON.parse(Buffer.from(read.payload).toString())).toEqual(payload);
  const theirs = await signed({ typ: signatureTypes.trust, kid: key.id }, JSON.stringify(payload));
  expect(reading(theirs)).toEqual(payload);
});

it("a document with any character changed is refused", () => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0é";
  fc.assert(
    fc.property(
      fc.nat(recorded.length - 1),
      fc.constantFrom(...alphabet),
      (position, character) => {
        fc.pre(recorded[position] !== character);
        const changed = recorded.slice(0, position) + character + recorded.slice(position + 1);
        expect(verdict(() => reading(changed))).not.toBe("accepted");
      },
    ),
    { numRuns: 2000 },
  );
});

it("a document that is cut or goes on is refused, wherever it is cut", () => {
  for (let length = 0; length < recorded.length; length += 1)
    expect(verdict(() => reading(recorded.slice(0, length)))).toMatch(/^SIGNED_/);
  for (const more of ["A", ".", ".AAAA", "=", " "])
    expect(verdict(() => reading(recorded + more))).toMatch(/^SIGNED_/);
});

it("arbitrary text is refused and nothing else happens", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.base64String()), (text) => {
      expect(verdict(() => reading(text))).toMatch(/^SIGNED_/);
    }),
  );
});

describe("a document is refused", () => {
  const other = newPrivateKey("ed25519");
  const signature = recorded.slice(recorded.lastIndexOf(".") + 1);
  it.each([
    ["made for another purpose", signDocument("bundle", payload, key), "SIGNED_BADLY"],
    [
      "by a key that is not known",
      signDocument("trust", payload, { ...key, id: "x" }),
      "SIGNED_BADLY",
    ],
    [
      "by another key of that name",
      signDocument("trust", payload, { ...key, privateKey: other }),
      "SIGNED_BADLY",
    ],
    ["without a signature", `${part(head)}.${part(payload)}.`, "SIGNED_BADLY"],
    [
      "with a signature of zeros",
      `${part(head)}.${part(payload)}.${"A".repeat(86)}`,
      "SIGNED_BADLY",
    ],
    ["of alg none", `${part({ ...head, alg: "none" })}.${part(payload)}.`, "SIGNED_BADLY"],
    [
      "of alg HS256 by the public key",
      `${part({ ...head, alg: "HS256" })}.${part(payload)}.${signature}`,
      "SIGNED_BADLY",
    ],
    [
      "whose header brings its own key",
      `${part({ alg: "EdDSA", typ: head.typ, jwk: {} })}.${part(payload)}.${signature}`,
      "SIGNED_BADLY",
    ],
    [
      "of the JSON form",
      JSON.stringify({ payload: part(payload), signatures: [] }),
      "SIGNED_TRUNCATED",
    ],
    ["that is a page of a proxy", "<html>sign in</html>", "SIGNED_TRUNCATED"],
    ["that is empty", "", "SIGNED_TRUNCATED"],
  ])("%s", (_, jws, code) => {
    expect(verdict(() => reading(jws))).toBe(code);
  });

  it("of an algorithm that hashes with the public key as its secret", async () => {
    const secret = Buffer.from(known.key, "base64url");
    const jws = await new CompactSign(Buffer.from(JSON.stringify(payload)))
      .setProtectedHeader({ ...head, alg: "HS256" })
      .sign(secret);
    expect(verdict(() => reading(jws))).toBe("SIGNED_BADLY");
  });

  it("that asks readers to know something new", async () => {
    const header = { ...head, crit: ["x-new"], "x-new": 1 };
    const jws = await signed(header, JSON.stringify(payload));
    expect(verdict(() => reading(jws))).toBe("SIGNED_BADLY");
  });

  it("larger than allowed, before anything of it is read", () => {
    expect(verdict(() => reading("x".repeat(1001), [known], 1000))).toBe("SIGNED_TOO_LARGE");
    expect(verdict(() => reading(recorded, [known], recorded.length))).toBe("accepted");
  });

  it("with a header of megabytes", () => {
    expect(verdict(() => reading(`${"A".repeat(1_000_000)}.${part(payload)}.`))).toBe(
      "SIGNED_TRUNCATED",
    );
  });

  it.each([
    ["lacking a field", '{"type":"trust"}', "SIGNED_CONTENT"],
    ["null", "null", "SIGNED_CONTENT"],
    ["deep", "[".repeat(100_000) + "]".repeat(100_000), "SIGNED_CONTENT"],
    ["half", '{"type":"trust"', "SIGNED_TRUNCATED"],
    ["nothing", "", "SIGNED_TRUNCATED"],
  ])("signed well, its content %s", async (_, text, code) => {
    const jws = await signed({ typ: signatureTypes.trust, kid: key.id }, text);
    expect(verdict(() => reading(jws))).toBe(code);
  });
});

it("what is no key is refused as one", () => {
  const wrong = ["", "A".repeat(42), `${known.key}A`, `${known.key.slice(0, 42)}p`, "=".repeat(43)];
  for (const text of wrong)
    expect(verdict(() => privateKeyOf("ed25519", text))).toBe("KEY_INVALID");
});
