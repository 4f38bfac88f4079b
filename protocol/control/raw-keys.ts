/**
 * Keys as 32 raw bytes in base64url (`rawKey` of enrolment.ts), and as node:crypto takes them. Ed25519 keys sign, X25519
 * keys are what secrets are sealed to.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";

export type KeyCurve = "Ed25519" | "X25519";

/** DER of a PKCS #8 private key up to its 32 bytes (RFC 8410). */
const privatePrefix: Readonly<Record<KeyCurve, string>> = {
  Ed25519: "302e020100300506032b657004220420",
  X25519: "302e020100300506032b656e04220420",
};
const rawForm = /^[A-Za-z0-9_-]{43}$/;

/** A public key of its raw form. Throws a RangeError if that isn't 32 bytes in base64url. */
export function publicKeyOf(curve: KeyCurve, raw: string): KeyObject {
  if (!rawForm.test(raw)) throw new RangeError(`not an ${curve} key`);
  return createPublicKey({ key: { kty: "OKP", crv: curve, x: raw }, format: "jwk" });
}

/** A private key of its seed (RFC 8032, 7748). Throws a RangeError if that isn't 32 bytes in base64url. */
export function privateKeyOf(curve: KeyCurve, seed: string): KeyObject {
  if (!rawForm.test(seed)) throw new RangeError(`not the seed of an ${curve} key`);
  const der = Buffer.concat([
    Buffer.from(privatePrefix[curve], "hex"),
    Buffer.from(seed, "base64url"),
  ]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

/** The public half in its raw form, of a public or a private key. */
export function rawPublicKey(key: KeyObject): string {
  const { x } = (key.type === "private" ? createPublicKey(key) : key).export({ format: "jwk" });
  if (x === undefined) throw new RangeError("neither an Ed25519 nor an X25519 key");
  return x;
}

/** The seed of a private key in its raw form: a secret. */
export function rawSeed(key: KeyObject): string {
  const { d } = key.export({ format: "jwk" });
  if (d === undefined) throw new RangeError("no private Ed25519 or X25519 key");
  return d;
}

/** Names a public Ed25519 key: its JWK thumbprint (RFC 7638), SHA-256 in base64url, 43 characters. */
export function keyThumbprint(raw: string): string {
  const jwk = `{"crv":"Ed25519","kty":"OKP","x":"${raw}"}`;
  return createHash("sha256").update(jwk).digest("base64url");
}
