/**
 * The recovery key of a tenant: machines seal a password of each repository to its public half, and only who holds the
 * private half, which no server ever has, can open it.
 */
import { createHash, type KeyObject } from "node:crypto";
import { z } from "zod";
import { BackstayError } from "../backstay-error.ts";
import { newPrivateKey, privateKeyOf, rawPrivateKey, rawPublicKey } from "./curve-keys.ts";
import { openSecret, sealSecret } from "./sealed-secret.ts";

/** Made by an administrator's own program. */
export interface RecoveryKey {
  /** Follows from the key itself. */
  readonly id: string;
  /** Both 43 characters of base64url. The private half is given to nobody. */
  readonly publicKey: string;
  readonly privateKey: string;
}

/** What is sealed: with the password where it belongs, so that no server can pass one off as another's. */
const recoverySecret = z.object({
  agentId: z.string(),
  repositoryId: z.string(),
  /** Name of the key file in the repository that it opens. */
  keyName: z.string(),
  password: z.string().min(1),
});
export type RecoverySecret = z.output<typeof recoverySecret>;

/** A new one. */
export function newRecoveryKey(): RecoveryKey {
  const key = newPrivateKey("x25519");
  const publicKey = rawPublicKey(key);
  return { id: recoveryKeyId(publicKey), publicKey, privateKey: rawPrivateKey(key) };
}

/** The id of a recovery key, by its public half. */
export function recoveryKeyId(publicKey: string): string {
  return `recovery-${createHash("sha256").update(publicKey).digest("hex").slice(0, 12)}`;
}

/** Seals a password on the machine; `recoveryKey` is the public half. KEY_INVALID. */
export function sealRecovery(secret: RecoverySecret, recoveryKey: string): string {
  return sealSecret(Buffer.from(JSON.stringify(secret)), recoveryKey);
}

/**
 * Opens what a server has released, with the private half (43 characters). KEY_INVALID, SEALED_UNREADABLE also for what
 * belongs to another machine or repository than it was released for.
 */
export function openRecovery(
  sealed: string,
  privateKey: string,
  expected: Pick<RecoverySecret, "agentId" | "repositoryId">,
): RecoverySecret {
  const key: KeyObject = privateKeyOf("x25519", privateKey);
  const secret = secretOf(openSecret(sealed, key));
  if (secret?.agentId !== expected.agentId || secret.repositoryId !== expected.repositoryId)
    throw new BackstayError("SEALED_UNREADABLE", { problem: "it belongs to another machine" });
  return secret;
}

function secretOf(opened: Buffer): RecoverySecret | undefined {
  try {
    return recoverySecret.safeParse(JSON.parse(opened.toString())).data;
  } catch {
    return undefined;
  }
}
