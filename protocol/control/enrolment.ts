/** How a machine becomes a member of a fleet: the pasted token, what the machine sends, what it gets. */
import { z } from "zod";

/** 32 bytes, base64url: an Ed25519 or X25519 key, public or seed. */
export const rawKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
/** `sha256/` and base64url of the SHA-256 of a certificate's public key (SubjectPublicKeyInfo, DER). */
export const tlsPin = z.string().regex(/^sha256\/[A-Za-z0-9_-]{43}$/);

/** `bk1_` and base64url of this as JSON. */
export const enrolmentToken = z.object({
  /** Addresses of the server, tried in this order. */
  u: z.array(z.url({ protocol: /^https?$/ })).min(1),
  /** Pins of the server's certificate or of one above it; empty: the machine's own authorities decide. */
  p: z.array(tlsPin).default([]),
  /** Id of the token. */
  i: z.string().min(1),
  /** Seed of an Ed25519 key: the server knows its public half only. */
  s: rawKey,
  /** When it ends, seconds since 1970. */
  x: z.int(),
});
export type EnrolmentToken = z.output<typeof enrolmentToken>;

/** Hints at what machine this is, each a salted hash; never names in the clear, never identity. */
export const fingerprint = z.record(z.string().max(40), z.string().max(64));

export const machineFacts = z.object({
  hostName: z.string().max(255),
  system: z.enum(["linux", "windows", "darwin"]),
  systemVersion: z.string().max(200).optional(),
  architecture: z.string().max(20),
  agentVersion: z.string().max(50),
  kind: z.enum(["workstation", "server"]),
  addresses: z.array(z.string().max(64)).max(32).default([]),
  timeZone: z.string().max(64).optional(),
  labels: z.record(z.string().max(64), z.string().max(256)).default({}),
});
export type MachineFacts = z.output<typeof machineFacts>;

export const enrolmentRequest = z.object({
  version: z.literal(1),
  tokenId: z.string().min(1).max(100),
  /** Public halves. */
  identityKey: rawKey,
  sealingKey: rawKey,
  /** Compact JWS by the token's key over `{ identityKey, sealingKey, tokenId, timeMs }` of this request. */
  proof: z.string().max(2000),
  /** Made at installation; the same after an upgrade, another after a reinstallation. */
  installationId: z.string().max(64),
  fingerprint,
  facts: machineFacts,
});
export type EnrolmentRequest = z.output<typeof enrolmentRequest>;

export const enrolmentAnswer = z.object({
  agentId: z.string(),
  tenantId: z.string(),
  tenantName: z.string(),
  /** Public Ed25519 key that signs trust documents: pinned by the agent for as long as it is enrolled. */
  rootKey: rawKey,
  timeMs: z.number(),
});
export type EnrolmentAnswer = z.output<typeof enrolmentAnswer>;

export const enrolmentPending = z.object({
  requestId: z.string(),
  pollSeconds: z.number().positive(),
  /** For people. */
  reason: z.string(),
});
export type EnrolmentPending = z.output<typeof enrolmentPending>;

/** A clone asks for an identity of its own: signed by the shared key, with a new one inside. */
export const forkRequest = enrolmentRequest.omit({ tokenId: true });
export type ForkRequest = z.output<typeof forkRequest>;
