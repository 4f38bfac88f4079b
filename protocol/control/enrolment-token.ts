/** The enrolment token as people paste it, and the proofs that a machine holds it, or a new key. */
import type { KeyObject } from "node:crypto";
import { BackstayError } from "../backstay-error.ts";
import { isSignedBy, readJws, signJws } from "./compact-jws.ts";
import { privateKeyOf } from "./curve-keys.ts";
import { type EnrolmentToken, enrolmentToken } from "./enrolment.ts";

const prefix = "bk1_";
const charactersMax = 8000;
const enrolmentProofType = "backstay-enrolment+jwt";
const forkProofType = "backstay-fork+jwt";

/** The token as one word. */
export function encodeEnrolmentToken(token: EnrolmentToken): string {
  return prefix + Buffer.from(JSON.stringify(token)).toString("base64url");
}

/**
 * Reads a pasted token; line breaks and spaces that came with it do no harm. ENROLMENT_TOKEN_INVALID with what is wrong
 * (never with its text, which is a secret).
 */
export function parseEnrolmentToken(pasted: string): EnrolmentToken {
  const text = pasted.replaceAll(/[\s\u200b]/g, "").replaceAll(/^["'<]+|["'>]+$/g, "");
  if (text === "") throw invalid("it is empty");
  if (/^bk[2-9]_/.test(text)) throw invalid("it was made for a newer version of Backstay");
  if (!text.startsWith(prefix)) throw invalid(`a token begins with ${prefix}`);
  if (text.length > charactersMax) throw invalid("it is too long");
  const body = text.slice(prefix.length);
  if (!/^[A-Za-z0-9_-]+$/.test(body)) throw invalid("it holds characters that no token has");
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body, "base64url").toString("utf8"));
  } catch {
    throw invalid("it is cut off or damaged");
  }
  const { data } = enrolmentToken.safeParse(value);
  if (data === undefined) throw invalid("what is in it is not complete");
  return data;
}

function invalid(problem: string): BackstayError {
  return new BackstayError("ENROLMENT_TOKEN_INVALID", { problem });
}

/** What a proof is about. */
export interface ProvenKeys {
  /** Public halves, raw. */
  readonly identityKey: string;
  readonly sealingKey: string;
  readonly timeMs: number;
}

/** `proof` of an EnrolmentRequest: whoever passes the request on can't put other keys into it. */
export function proveToken(token: Pick<EnrolmentToken, "i" | "s">, keys: ProvenKeys): string {
  const payload = { ...bound(keys), tokenId: token.i };
  return signJws(enrolmentProofType, payload, privateKeyOf("ed25519", token.s));
}

/** True if the holder of the token of that id, whose public key is given, wants these keys enrolled. */
export function isTokenProof(
  proof: string,
  tokenId: string,
  keys: Omit<ProvenKeys, "timeMs">,
  tokenKey: KeyObject,
): boolean {
  return isProof(proof, enrolmentProofType, keys, ["tokenId", tokenId], tokenKey);
}

/** `proof` of a ForkRequest: who sends it holds the new identity key. */
export function proveFork(agentId: string, keys: ProvenKeys, newKey: KeyObject): string {
  return signJws(forkProofType, { ...bound(keys), agentId }, newKey);
}

/** True if the holder of the new key wants to leave that agent's identity for these keys. */
export function isForkProof(
  proof: string,
  agentId: string,
  keys: Omit<ProvenKeys, "timeMs">,
  newKey: KeyObject,
): boolean {
  return isProof(proof, forkProofType, keys, ["agentId", agentId], newKey);
}

function bound({ identityKey, sealingKey, timeMs }: ProvenKeys): ProvenKeys {
  return { identityKey, sealingKey, timeMs: Math.round(timeMs) };
}

function isProof(
  proof: string,
  type: string,
  { identityKey, sealingKey }: Omit<ProvenKeys, "timeMs">,
  [name, id]: readonly ["tokenId" | "agentId", string],
  key: KeyObject,
): boolean {
  const jws = readJws(proof);
  if (jws === undefined || !isSignedBy(jws, type, key)) return false;
  const payload = (jws.payload ?? {}) as Readonly<Record<string, unknown>>;
  return (
    payload["identityKey"] === identityKey &&
    payload["sealingKey"] === sealingKey &&
    payload[name] === id
  );
}
