/**
 * The signature that every request of an agent carries: `authorization: Backstay <compact JWS>`. It covers method, path
 * with query, body, time and a number used once, and no host: proxies may end TLS and rename the server.
 */
import { createHash, type KeyObject } from "node:crypto";
import { isSignedBy, readJws, signJws } from "./compact-jws.ts";

/** Of the header. */
export const requestSignatureType = "backstay-request+jwt";
/** A request counts for so long before and after its time, ms. */
export const requestWindowMs = 5 * 60_000;

const scheme = "Backstay ";
/** Signatures are some 500 characters; who sends more sends something else. */
const charactersMax = 4000;
const nonceForm = /^[A-Za-z0-9_-]{16,64}$/;

/** What is signed. */
export interface SignedRequest {
  /** Id of the agent; of a machine that has none yet the thumbprint of its identity key. */
  readonly issuer: string;
  /** In capitals. */
  readonly method: string;
  /** As in the request line, with the query; below the base address of the server. */
  readonly path: string;
  /** As sent; empty for none. */
  readonly body: Uint8Array;
  /** Server's time as the agent knows it, ms since 1970. */
  readonly timeMs: number;
  /** 16 to 64 characters of base64url, never used before: 16 random bytes do. */
  readonly nonce: string;
  readonly sender?: RequestSender;
}

/** What an agent says of itself with each request, for telling a clone from a restart, and a restored server the stand. */
export interface RequestSender {
  /** Names one start of the agent, up to 64 characters. */
  readonly run?: string;
  /** Serial of the newest bundle that it has accepted. */
  readonly serial?: number;
  /** Of the machine as it is now, in the form of enrolment.ts. */
  readonly fingerprint?: Readonly<Record<string, string>>;
}

/** What a signature says, before and after it was verified. */
export interface RequestClaims extends RequestSender {
  readonly iss: string;
  readonly htm: string;
  readonly htp: string;
  /** SHA-256 of the body, base64url. */
  readonly bh: string;
  readonly timeMs: number;
  readonly jti: string;
}

/** The value of the `authorization` header. */
export function signRequest(request: SignedRequest, identityKey: KeyObject): string {
  const claims: RequestClaims = {
    iss: request.issuer,
    htm: request.method,
    htp: request.path,
    bh: bodyHash(request.body),
    timeMs: Math.round(request.timeMs),
    jti: request.nonce,
    ...request.sender,
  };
  return scheme + signJws(requestSignatureType, claims, identityKey);
}

export interface RequestSignature {
  /** Not to be believed before `isBy`. */
  readonly claims: RequestClaims;
  /** True if the holder of this key signed it. */
  readonly isBy: (publicKey: KeyObject) => boolean;
}

/** Undefined if the header carries no signature of this form. */
export function readRequestSignature(
  authorization: string | undefined,
): RequestSignature | undefined {
  if (authorization === undefined || authorization.length > charactersMax) return undefined;
  if (!authorization.startsWith(scheme)) return undefined;
  const jws = readJws(authorization.slice(scheme.length));
  if (jws?.type !== requestSignatureType || !areClaims(jws.payload)) return undefined;
  return {
    claims: jws.payload,
    isBy: (publicKey) => isSignedBy(jws, requestSignatureType, publicKey),
  };
}

/** True if the claims are about this request: its method, path and body. */
export function areClaimsOf(
  claims: RequestClaims,
  request: Pick<SignedRequest, "method" | "path" | "body">,
): boolean {
  return (
    claims.htm === request.method &&
    claims.htp === request.path &&
    claims.bh === bodyHash(request.body)
  );
}

/** SHA-256 in base64url. */
export function bodyHash(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("base64url");
}

function areClaims(value: unknown): value is RequestClaims {
  if (typeof value !== "object" || value === null) return false;
  const claims = value as Partial<Record<string, unknown>>;
  const { iss, htm, htp, bh, timeMs, jti } = claims;
  return (
    isSender(claims) &&
    [iss, htm, htp, bh].every((text) => typeof text === "string" && text !== "") &&
    Number.isSafeInteger(timeMs) &&
    typeof jti === "string" &&
    nonceForm.test(jti)
  );
}

function isSender({ run, serial, fingerprint }: Partial<Record<string, unknown>>): boolean {
  return (
    (run === undefined || (typeof run === "string" && run.length <= 64)) &&
    (serial === undefined || (Number.isSafeInteger(serial) && Number(serial) >= 0)) &&
    (fingerprint === undefined || isFingerprint(fingerprint))
  );
}

function isFingerprint(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const entries = Object.entries(value);
  return (
    entries.length <= 16 &&
    entries.every(
      ([name, hash]) => name.length <= 40 && typeof hash === "string" && hash.length <= 64,
    )
  );
}
