/** Keys of Curve25519 as 32 raw bytes in base64url, which is how every document carries them, and as Node takes them. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { BackstayError } from "../backstay-error.ts";

/** Ed25519 signs, X25519 seals. */
export type CurveName = "ed25519" | "x25519";

/** What stands before the raw bytes in the DER forms of RFC 8410: the last byte but some tells the curve. */
const derPrefixes = {
  ed25519: { private: "302e020100300506032b657004220420", public: "302a300506032b6570032100" },
  x25519: { private: "302e020100300506032b656e04220420", public: "302a300506032b656e032100" },
} as const;

/** The public key of 43 characters base64url. KEY_INVALID if it is not exactly that. */
export function publicKeyOf(curve: CurveName, raw: string): KeyObject {
  const key = derOf(derPrefixes[curve].public, raw);
  return createPublicKey({ key, format: "der", type: "spki" });
}

/** The private key of a seed: 43 characters base64url. KEY_INVALID if it is not exactly that. */
export function privateKeyOf(curve: CurveName, seed: string): KeyObject {
  const key = derOf(derPrefixes[curve].private, seed);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

/** The public half of a key, private or public, as 43 characters base64url. */
export function rawPublicKey(key: KeyObject): string {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("base64url");
}

/** The seed of a private key as 43 characters base64url: a secret. */
export function rawPrivateKey(key: KeyObject): string {
  return key.export({ format: "der", type: "pkcs8" }).subarray(-32).toString("base64url");
}

/** A new private key; `rawPublicKey` tells its public half. */
export function newPrivateKey(curve: CurveName): KeyObject {
  return curve === "ed25519"
    ? generateKeyPairSync("ed25519").privateKey
    : generateKeyPairSync("x25519").privateKey;
}

function derOf(prefix: string, raw: string): Buffer {
  const bytes = Buffer.from(raw, "base64url");
  if (bytes.length !== 32 || bytes.toString("base64url") !== raw)
    throw new BackstayError("KEY_INVALID");
  return Buffer.concat([Buffer.from(prefix, "hex"), bytes]);
}
