/**
 * Secrets sealed to one reader: compact JWE (RFC 7516), ECDH-ES with X25519 (RFC 8037) and A256GCM. Whoever knows the
 * public key can seal, only the holder of the private one can open.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  diffieHellman,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { z } from "zod";
import { BackstayError } from "../backstay-error.ts";
import { newPrivateKey, publicKeyOf, rawPublicKey } from "./curve-keys.ts";
import { rawKey } from "./enrolment.ts";

/** Most bytes of a secret, as the agent's own store of secrets takes them. */
export const secretBytesMax = 64 * 1024;
const sealedCharactersMax = 100_000;
const encryption = "A256GCM";

const header = z.object({
  alg: z.literal("ECDH-ES"),
  enc: z.literal(encryption),
  epk: z.object({ kty: z.literal("OKP"), crv: z.literal("X25519"), x: rawKey }),
  // Would change the key, or ask for what we do not know.
  apu: z.undefined().optional(),
  apv: z.undefined().optional(),
  zip: z.undefined().optional(),
  crit: z.undefined().optional(),
});

/**
 * Seals up to 64 KiB to the holder of an X25519 key (32 raw bytes, base64url). Each call gives another text. KEY_INVALID
 * for what is no such key.
 */
export function sealSecret(secret: Uint8Array, recipientKey: string): string {
  const recipient = publicKeyOf("x25519", recipientKey);
  const ephemeral = newPrivateKey("x25519");
  const epk = { kty: "OKP", crv: "X25519", x: rawPublicKey(ephemeral) };
  const head = encoded(Buffer.from(JSON.stringify({ alg: "ECDH-ES", enc: encryption, epk })));
  const initial = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", sharedKey(ephemeral, recipient), initial);
  cipher.setAAD(Buffer.from(head));
  const text = Buffer.concat([cipher.update(secret), cipher.final()]);
  return [head, "", encoded(initial), encoded(text), encoded(cipher.getAuthTag())].join(".");
}

/** What was sealed to this X25519 private key. SEALED_UNREADABLE if it was sealed to another, or is not as it was made. */
export function openSecret(sealed: string, privateKey: KeyObject): Buffer {
  if (sealed.length > sealedCharactersMax)
    throw new BackstayError("SEALED_UNREADABLE", { characters: sealed.length });
  try {
    return opened(sealed, privateKey);
  } catch (cause) {
    throw new BackstayError("SEALED_UNREADABLE", {}, cause);
  }
}

function opened(sealed: string, privateKey: KeyObject): Buffer {
  const parts = sealed.split(".", 6);
  const decoded = parts.map((part) => Buffer.from(part, "base64url"));
  const isCanonical = decoded.every((part, index) => encoded(part) === parts[index]);
  const [head, key, initial, text, tag] = decoded;
  if (parts.length !== 5 || !isCanonical || key.length > 0 || tag.length !== 16)
    throw new Error("not the five parts of a sealed secret");
  const { epk } = header.parse(JSON.parse(head.toString()) as unknown);
  const shared = sharedKey(privateKey, publicKeyOf("x25519", epk.x));
  const decipher = createDecipheriv("aes-256-gcm", shared, initial, { authTagLength: 16 });
  decipher.setAAD(Buffer.from(parts[0])).setAuthTag(tag);
  return Buffer.concat([decipher.update(text), decipher.final()]);
}

/** Concat KDF of RFC 7518, section 4.6.2, for 256 bits: one round of SHA-256. */
function sharedKey(privateKey: KeyObject, publicKey: KeyObject): Buffer {
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  return createHash("sha256")
    .update(word(1))
    .update(agreed(privateKey, publicKey))
    .update(Buffer.concat([word(encryption.length), Buffer.from(encryption)]))
    .update(Buffer.concat([word(0), word(0), word(256)]))
    .digest();
}

/** KEY_INVALID for public keys of low order, with which everybody knows what is agreed on. */
function agreed(privateKey: KeyObject, publicKey: KeyObject): Buffer {
  try {
    return diffieHellman({ privateKey, publicKey });
  } catch (cause) {
    throw new BackstayError("KEY_INVALID", {}, cause);
  }
}

function encoded(bytes: Buffer): string {
  return bytes.toString("base64url");
}
