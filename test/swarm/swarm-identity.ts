/** Who the machines of a swarm are: keys and names made from a seed and a number, so that no process has to tell another. */
import { createHash, type KeyObject } from "node:crypto";
import { privateKeyOf, rawPublicKey } from "../../protocol/control/curve-keys.ts";
import type { EnrolmentRequest, MachineFacts } from "../../protocol/control/enrolment.ts";
import { proveToken } from "../../protocol/control/enrolment-token.ts";

export interface SwarmIdentity {
  readonly number: number;
  readonly name: string;
  /** Each has one of its own. */
  readonly address: string;
  /** Ed25519, private. */
  readonly identityKey: KeyObject;
  /** X25519, private. */
  readonly sealingKey: KeyObject;
  /** Public halves. */
  readonly identityKeyRaw: string;
  readonly sealingKeyRaw: string;
  readonly installationId: string;
  readonly fingerprint: Readonly<Record<string, string>>;
}

export function swarmIdentity(seed: number, number: number): SwarmIdentity {
  const bytesFor = (what: string): Buffer =>
    createHash("sha256").update(`swarm ${seed} ${number} ${what}`).digest();
  const identityKey = privateKeyOf("ed25519", bytesFor("identity").toString("base64url"));
  const sealingKey = privateKeyOf("x25519", bytesFor("sealing").toString("base64url"));
  return {
    number,
    name: `swarm-${String(number).padStart(6, "0")}`,
    address: `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`,
    identityKey,
    sealingKey,
    identityKeyRaw: rawPublicKey(identityKey),
    sealingKeyRaw: rawPublicKey(sealingKey),
    installationId: bytesFor("installation").toString("hex").slice(0, 32),
    fingerprint: { machine: bytesFor("machine").toString("base64url") },
  };
}

export function swarmFacts(identity: SwarmIdentity): MachineFacts {
  return {
    hostName: identity.name,
    system: "linux",
    architecture: "x64",
    agentVersion: "0.1.0",
    kind: "workstation",
    addresses: [identity.address],
    labels: { swarm: "yes" },
  };
}

/** What the machine sends to become a member. */
export function swarmEnrolment(
  identity: SwarmIdentity,
  token: { readonly i: string; readonly s: string },
): EnrolmentRequest {
  const keys = {
    identityKey: identity.identityKeyRaw,
    sealingKey: identity.sealingKeyRaw,
    timeMs: Date.now(),
  };
  return {
    version: 1,
    tokenId: token.i,
    identityKey: keys.identityKey,
    sealingKey: keys.sealingKey,
    proof: proveToken(token, keys),
    installationId: identity.installationId,
    fingerprint: identity.fingerprint,
    facts: swarmFacts(identity),
  };
}
