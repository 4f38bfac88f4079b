/** Machines for tests of the server's fleet: keys, and what they send to enrol. */
import type { KeyObject } from "node:crypto";
import { newPrivateKey, rawPublicKey } from "../../protocol/control/curve-keys.ts";
import type {
  EnrolmentRequest,
  ForkRequest,
  MachineFacts,
} from "../../protocol/control/enrolment.ts";
import {
  parseEnrolmentToken,
  proveFork,
  proveToken,
} from "../../protocol/control/enrolment-token.ts";

/** Facts of a Linux server of that name. */
export function factsOf(hostName: string): MachineFacts {
  return {
    hostName,
    system: "linux",
    architecture: "x64",
    agentVersion: "0.1.0",
    kind: "server",
    addresses: ["192.0.2.1"],
    labels: {},
  };
}

export interface MadeMachine {
  readonly identityKey: KeyObject;
  readonly raw: { readonly identityKey: string; readonly sealingKey: string };
  readonly fingerprint: Readonly<Record<string, string>>;
  /** Asks to be enrolled by a pasted token. */
  request(token: string): EnrolmentRequest;
  /** Asks to leave an agent's identity for this one. */
  fork(agentId: string): ForkRequest;
}

/** New keys each time. Its fingerprint is made of its name. */
export function madeMachine(hostName = "web"): MadeMachine {
  const identityKey = newPrivateKey("ed25519");
  const raw = {
    identityKey: rawPublicKey(identityKey),
    sealingKey: rawPublicKey(newPrivateKey("x25519")),
  };
  const fingerprint = { system: hostName, hardware: hostName, disk: hostName, network: hostName };
  const about = {
    version: 1 as const,
    ...raw,
    installationId: `installation of ${hostName}`,
    fingerprint,
    facts: factsOf(hostName),
  };
  return {
    identityKey,
    raw,
    fingerprint,
    request: (token) => {
      const parsed = parseEnrolmentToken(token);
      const proof = proveToken(parsed, { ...raw, timeMs: 0 });
      return { ...about, tokenId: parsed.i, proof };
    },
    fork: (agentId) => ({
      ...about,
      proof: proveFork(agentId, { ...raw, timeMs: 0 }, identityKey),
    }),
  };
}
