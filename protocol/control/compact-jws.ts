/**
 * Compact JWS (RFC 7515) with EdDSA over Ed25519 and nothing else: what was signed is verified as it came, byte for byte,
 * and a signature counts only for the type of document that its header names.
 */
import { type KeyObject, sign, verify } from "node:crypto";

/** A JWS that was taken apart; nothing of it can be believed before `isSignedBy`. */
export interface CompactJws {
  readonly type: string;
  /** Id of the key that is said to have signed it. */
  readonly keyId: string | undefined;
  /** The JSON value inside. */
  readonly payload: unknown;
  /** What the signature covers. */
  readonly signed: string;
  readonly signature: Uint8Array;
}

const part = /^[A-Za-z0-9_-]+$/;
const signatureCharacters = 86;

/** Signs a JSON value. `type` is the header's `typ`, `keyId` its `kid`. */
export function signJws(
  type: string,
  payload: unknown,
  privateKey: KeyObject,
  keyId?: string,
): string {
  const header = { alg: "EdDSA", typ: type, ...(keyId === undefined ? {} : { kid: keyId }) };
  const signed = `${encoded(header)}.${encoded(payload)}`;
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`;
}

/** Takes a JWS apart; undefined if it is none, or one of another algorithm or with critical headers. */
export function readJws(text: string): CompactJws | undefined {
  const parts = text.split(".");
  if (parts.length !== 3 || !parts.every((each) => part.test(each))) return undefined;
  const [head, body, signature] = parts;
  if (signature.length !== signatureCharacters) return undefined;
  const header = decoded(head);
  const payload = decoded(body);
  if (!isRecord(header) || payload === undefined) return undefined;
  const { alg, typ, kid, crit } = header;
  if (alg !== "EdDSA" || typeof typ !== "string" || crit !== undefined) return undefined;
  return {
    type: typ,
    keyId: typeof kid === "string" ? kid : undefined,
    payload,
    signed: `${head}.${body}`,
    signature: Buffer.from(signature, "base64url"),
  };
}

/** True if `publicKey` (Ed25519) signed it as a document of that type. */
export function isSignedBy(jws: CompactJws, type: string, publicKey: KeyObject): boolean {
  if (jws.type !== type || publicKey.asymmetricKeyType !== "ed25519") return false;
  return verify(null, Buffer.from(jws.signed), publicKey, jws.signature);
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** Undefined if it is no JSON. */
function decoded(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
