/**
 * Signed documents: compact JWS (RFC 7515) with Ed25519 (RFC 8037). One algorithm, one form, and a `typ` for each use,
 * so that nothing signed for one purpose is taken for another. What is verified are the bytes as they came.
 */
import { type KeyObject, sign, verify } from "node:crypto";
import { z } from "zod";
import { BackstayError } from "../backstay-error.ts";
import { type SignatureType, signatureTypes } from "./bundle.ts";
import { publicKeyOf } from "./curve-keys.ts";

/** Somebody's key that signs. */
export interface SigningKey {
  /** The `kid` by which readers find its public half. */
  readonly id: string;
  /** Ed25519. */
  readonly privateKey: KeyObject;
}

/** The public half of a key, as documents carry it. */
export interface KnownKey {
  readonly id: string;
  /** 32 bytes, base64url. */
  readonly key: string;
}

/** What a reader expects of a document. */
export interface ExpectedDocument<T> {
  readonly type: SignatureType;
  readonly schema: z.ZodType<T>;
  /** Those that may sign it. */
  readonly keys: readonly KnownKey[];
  /** Most characters of the whole; nothing longer is looked into. Default 4,000,000. */
  readonly charactersMax?: number;
}

/** What the header of a document says of itself. */
export interface SignedHeader {
  /** Of `signatureTypes`, or anything else. */
  readonly typ: string;
  readonly kid: string;
}

const documentCharactersMax = 4_000_000;
const headerCharactersMax = 500;
const header = z.object({
  alg: z.literal("EdDSA"),
  typ: z.string().max(100),
  kid: z.string().min(1).max(100),
  // Asks readers to refuse what they do not know: and we know nothing of that kind.
  crit: z.undefined().optional(),
});

/** The document as a compact JWS. Signing the same content again with the same key gives the same text. */
export function signDocument(type: SignatureType, payload: object, key: SigningKey): string {
  const head = JSON.stringify({ alg: "EdDSA", typ: signatureTypes[type], kid: key.id });
  const signed = `${encoded(Buffer.from(head))}.${encoded(Buffer.from(JSON.stringify(payload)))}`;
  return `${signed}.${encoded(sign(null, Buffer.from(signed), key.privateKey))}`;
}

/**
 * The content of a document that one of the keys has signed for this purpose. In this order:
 *
 * - SIGNED_TOO_LARGE: longer than allowed;
 * - SIGNED_TRUNCATED: not the three parts of a signed document;
 * - SIGNED_BADLY: unsigned, signed in another way, for another purpose, by a key that is not among `keys`, or the
 *   signature does not fit the content;
 * - SIGNED_CONTENT: the signature is good, but what is signed does not follow the schema.
 */
export function verifyDocument<T>(jws: string, expected: ExpectedDocument<T>): T {
  const { type, schema, keys, charactersMax } = expected;
  const { typ, kid } = signedHeader(jws, charactersMax);
  if (typ !== signatureTypes[type])
    throw new BackstayError("SIGNED_BADLY", { problem: "it was made for another purpose", typ });
  const key = keys.find((each) => each.id === kid);
  if (key === undefined)
    throw new BackstayError("SIGNED_BADLY", { problem: "its key is not known", key: kid });
  const [, payload, signature] = partsOf(jws);
  const signedText = Buffer.from(jws.slice(0, jws.lastIndexOf(".")));
  if (!verify(null, signedText, publicKeyOf("ed25519", key.key), signature))
    throw new BackstayError("SIGNED_BADLY", { problem: "the signature does not fit", key: kid });
  const result = schema.safeParse(jsonOf(payload));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue?.path.join(".") ?? "";
  throw new BackstayError("SIGNED_CONTENT", { type, place, problem: issue?.message ?? "" });
}

/**
 * What a document says of itself, not verified: only for finding the key that it names. SIGNED_TOO_LARGE,
 * SIGNED_TRUNCATED, and SIGNED_BADLY as `verifyDocument`.
 */
export function signedHeader(jws: string, charactersMax = documentCharactersMax): SignedHeader {
  if (jws.length > charactersMax)
    throw new BackstayError("SIGNED_TOO_LARGE", { characters: jws.length, most: charactersMax });
  const dot = jws.indexOf(".");
  if (dot > headerCharactersMax) throw new BackstayError("SIGNED_TRUNCATED");
  const [head] = partsOf(jws);
  const result = header.safeParse(jsonOf(head));
  if (!result.success)
    throw new BackstayError("SIGNED_BADLY", { problem: "its header is none of ours" });
  return result.data;
}

/**
 * The JSON of a document, not verified: only for finding in it who may have signed it. SIGNED_TOO_LARGE and
 * SIGNED_TRUNCATED as `verifyDocument`.
 */
export function unverifiedContent(jws: string, charactersMax = documentCharactersMax): unknown {
  signedHeader(jws, charactersMax);
  return jsonOf(partsOf(jws)[1]);
}

/** Header, payload and signature. Each has one spelling only: base64url whose unused bits are zero. */
function partsOf(jws: string): readonly [Buffer, Buffer, Buffer] {
  const parts = jws.split(".", 4);
  const decoded = parts.map((part) => Buffer.from(part, "base64url"));
  const [head, payload, signature] = decoded;
  if (parts.length !== 3 || decoded.some((part, index) => encoded(part) !== parts[index]))
    throw new BackstayError("SIGNED_TRUNCATED");
  return [head, payload, signature];
}

function jsonOf(part: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(part)) as unknown;
  } catch (cause) {
    throw new BackstayError("SIGNED_TRUNCATED", {}, cause);
  }
}

function encoded(bytes: Buffer): string {
  return bytes.toString("base64url");
}
