/**
 * Who this machine is to its server: its keys and its membership, one record, kept twice. The second copy is written after
 * the first and used when that is damaged; both are sealed by what the system has (SecretKeeper).
 */
import { createHash, randomBytes, randomUUIDv7 } from "node:crypto";
import { z } from "zod";
import type { SecretKeeper } from "../../platform/ports/secret-keeper.ts";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { newPrivateKey, rawPrivateKey } from "../../protocol/control/curve-keys.ts";
import { enrolmentToken, fingerprint, rawKey, tlsPin } from "../../protocol/control/enrolment.ts";

const machineKeys = z.object({
  /** Seeds of the Ed25519 and the X25519 key. Secrets. */
  identitySeed: rawKey,
  sealingSeed: rawKey,
  /** Made with the keys. */
  installationId: z.string(),
  fingerprintSalt: z.string(),
  /** Of the machine that these keys are for. */
  fingerprint,
});
export type MachineKeys = z.output<typeof machineKeys>;

const membership = z.object({
  agentId: z.string(),
  tenantId: z.string(),
  tenantName: z.string(),
  rootKey: rawKey,
  /** Of the token that it came from, for repeating an enrolment harmlessly. */
  tokenId: z.string(),
  /** How the server was reached at enrolment; bundles tell of newer ways. */
  urls: z.array(z.string()).min(1),
  pins: z.array(tlsPin),
  enrolledMs: z.number(),
});
export type Membership = z.output<typeof membership>;

const identityRecord = z.object({
  version: z.literal(1),
  keys: machineKeys,
  /** Absent before the server has admitted the machine. */
  membership: membership.optional(),
  /** The token of an enrolment that has not ended, so that it goes on after a restart. A secret. */
  enrolling: enrolmentToken.optional(),
  /** Keys of a clone that has asked for an identity of its own and has no answer yet. */
  forking: machineKeys.optional(),
});
/** What is kept. Holds secrets. */
export type IdentityRecord = z.output<typeof identityRecord>;

export interface StoredIdentity {
  /** Undefined if the machine has none. */
  readonly record: IdentityRecord | undefined;
  /** Why one of the two copies had to be written anew from the other: worth a condition. */
  readonly repaired: string | undefined;
}

const names = ["identity", "identity-copy"] as const;
/** Holds the id of the token with which the machine had joined the fleet that it left. */
const leftName = "left";

/** Makes the keys of a machine. `fingerprintOf` gets the salt. */
export function newMachineKeys(
  fingerprintFor: (salt: string) => Readonly<Record<string, string>>,
): MachineKeys {
  const fingerprintSalt = randomBytes(16).toString("base64url");
  return {
    identitySeed: rawPrivateKey(newPrivateKey("ed25519")),
    sealingSeed: rawPrivateKey(newPrivateKey("x25519")),
    installationId: randomUUIDv7(),
    fingerprintSalt,
    fingerprint: fingerprintFor(fingerprintSalt),
  };
}

/** `keeper` is one of its own (`openIdentityKeeper`): names of policies' secrets can't reach it. */
export class IdentityStore {
  readonly #keeper: SecretKeeper;

  constructor(keeper: SecretKeeper) {
    this.#keeper = keeper;
  }

  /** Reads it and mends one copy by the other. IDENTITY_DAMAGED if there is something, and neither can be used. */
  async read(): Promise<StoredIdentity> {
    const first = await this.#readCopy(names[0]);
    const second = await this.#readCopy(names[1]);
    const good = first.record === undefined ? second : first;
    if (good.record === undefined || good.text === undefined) {
      const problem = first.problem ?? second.problem;
      if (problem === undefined) return { record: undefined, repaired: undefined };
      throw new BackstayError("IDENTITY_DAMAGED", { problem });
    }
    if (first.text === second.text) return { record: good.record, repaired: undefined };
    // A copy that is only older, or not there yet, is what a kill between the two leaves.
    const repaired =
      first.problem ?? second.problem ?? (good === second ? "it was gone" : undefined);
    try {
      await this.#writeText(good === first ? names[1] : names[0], good.text);
      return { record: good.record, repaired };
    } catch (error) {
      // A full disk is no reason to do without an identity that can be read.
      return { record: good.record, repaired: repaired ?? String(error) };
    }
  }

  /** Replaces it durably: whenever it is interrupted, the old record or the new one is read afterwards. SECRET_PLACE. */
  async write(record: IdentityRecord): Promise<void> {
    const text = encode(record);
    for (const name of names) await this.#writeText(name, text);
  }

  /** Forgets it, and what was left. Interrupted, all of the identity is there, or nothing. SECRET_PLACE. */
  async clear(): Promise<void> {
    await this.#remove(leftName);
    await this.#forget();
  }

  /** Forgets it, but not the token that it came from: a machine that has left does not come back by itself. SECRET_PLACE. */
  async leave(): Promise<void> {
    const record = await this.#readable();
    const tokenId = record?.membership?.tokenId ?? record?.enrolling?.i;
    if (tokenId !== undefined) await this.#writeText(leftName, tokenId);
    await this.#forget();
  }

  /** Id of the token of `leave`; undefined if there is none. */
  async leftToken(): Promise<string | undefined> {
    try {
      return Buffer.from(await this.#keeper.read(leftName)).toString("utf8");
    } catch (error) {
      if (isBackstayError(error)) return undefined;
      throw error;
    }
  }

  async #readable(): Promise<IdentityRecord | undefined> {
    try {
      return (await this.read()).record;
    } catch (error) {
      if (isBackstayError(error, "IDENTITY_DAMAGED")) return undefined;
      throw error;
    }
  }

  async #forget(): Promise<void> {
    // The copy first: alone it would bring the whole back.
    for (const name of names.toReversed()) await this.#remove(name);
  }

  async #remove(name: string): Promise<void> {
    try {
      await this.#keeper.remove(name);
    } catch (error) {
      if (!isBackstayError(error, "SECRET_MISSING")) throw error;
    }
  }

  async #writeText(name: string, text: string): Promise<void> {
    await this.#keeper.write(name, Buffer.from(text));
  }

  async #readCopy(name: string): Promise<ReadCopy> {
    try {
      const text = Buffer.from(await this.#keeper.read(name)).toString("utf8");
      const record = decode(text);
      return record === undefined ? { problem: `${name} is damaged` } : { text, record };
    } catch (error) {
      if (isBackstayError(error, "SECRET_MISSING")) return {};
      if (isBackstayError(error, "SECRET_UNREADABLE"))
        return { problem: `${name}: ${error.context["problem"] ?? "it cannot be read"}` };
      throw error;
    }
  }
}

interface ReadCopy {
  readonly text?: string;
  readonly record?: IdentityRecord;
  /** Why what is there can't be used. */
  readonly problem?: string;
}

/** JSON with its SHA-256 in front: a flipped bit must not become another key. */
function encode(record: IdentityRecord): string {
  const json = JSON.stringify(record);
  return `${digest(json)} ${json}`;
}

function decode(text: string): IdentityRecord | undefined {
  const [sum] = text.split(" ", 1);
  const json = text.slice(sum.length + 1);
  if (sum !== digest(json)) return undefined;
  return identityRecord.safeParse(JSON.parse(json)).data;
}

function digest(json: string): string {
  return createHash("sha256").update(json).digest("base64url");
}
