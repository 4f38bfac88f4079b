/** The identity of this machine at its start: whether there is one, and whether it is this machine's, before its key is used. */
import type { KeyObject } from "node:crypto";
import path from "node:path";
import { openMachineMarks } from "../../platform/open-machine-marks.ts";
import { openSecretKeeper } from "../../platform/open-secret-keeper.ts";
import type { MachineMarkReader } from "../../platform/ports/machine-marks.ts";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { privateKeyOf } from "../../protocol/control/curve-keys.ts";
import {
  areTwoMachines,
  differingMarks,
  type Fingerprint,
} from "../../protocol/control/machine-fingerprint.ts";
import { fingerprintOf } from "./fingerprint.ts";
import {
  type IdentityRecord,
  IdentityStore,
  type MachineKeys,
  type Membership,
} from "./identity.ts";

/** A machine that its server has admitted. */
export interface EnrolledMachine {
  readonly membership: Membership;
  /** Private Ed25519 key: signs requests. */
  readonly identityKey: KeyObject;
  /** Private X25519 key: opens what is sealed to this machine. */
  readonly sealingKey: KeyObject;
  readonly installationId: string;
  /** Of the machine as it is now; goes with requests and status. */
  readonly fingerprint: Fingerprint;
}

export type MachineIdentity =
  | { readonly kind: "none" }
  /** An enrolment has begun: `enroll` without a token goes on with it. */
  | { readonly kind: "enrolling"; readonly repaired: string | undefined }
  | {
      readonly kind: "enrolled";
      readonly machine: EnrolledMachine;
      /** Why a copy of the record had to be mended: worth a condition. Undefined: all was well. */
      readonly repaired: string | undefined;
    }
  /** The record is another machine's, of which this one is a copy, or it was rebuilt. Only `settleIdentity` may use the key. */
  | {
      readonly kind: "copied";
      readonly machine: EnrolledMachine;
      /** IDENTITY_OF_OTHER_MACHINE, with the marks that differ: `disk`, `hardware`, `network`, `system`. */
      readonly error: BackstayError<"IDENTITY_OF_OTHER_MACHINE">;
    }
  /** IDENTITY_DAMAGED or SECRET_PLACE. */
  | { readonly kind: "damaged"; readonly error: Error };

/** Where the identity is kept, and what tells this machine from others. */
export interface IdentityParts {
  readonly store: IdentityStore;
  readonly marks: MachineMarkReader;
}

/** The parts of the agent whose state is in this folder (absolute). The identity is in its folder `identity`. */
export async function identityParts(
  stateDirectory: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<IdentityParts> {
  // A keeper of its own: policies name secrets, and must not reach this one.
  const keeper = await openSecretKeeper(path.join(stateDirectory, "identity"));
  return { store: new IdentityStore(keeper), marks: openMachineMarks(environment) };
}

/** Reads it, and compares it with the machine. Never rejects. */
export async function openIdentity({ store, marks }: IdentityParts): Promise<MachineIdentity> {
  try {
    const { record, repaired } = await store.read();
    if (record === undefined) return { kind: "none" };
    const { keys, membership } = record;
    if (membership === undefined)
      return record.enrolling === undefined ? { kind: "none" } : { kind: "enrolling", repaired };
    const now = fingerprintOf(await marks.read(), keys.fingerprintSalt);
    const machine = enrolledMachine(keys, membership, now);
    if (areTwoMachines(keys.fingerprint, now)) {
      const differing = differingMarks(keys.fingerprint, now).join(", ");
      const error = new BackstayError("IDENTITY_OF_OTHER_MACHINE", { differing });
      return { kind: "copied", machine, error };
    }
    await followDrift(store, record, now);
    return { kind: "enrolled", machine, repaired };
  } catch (error) {
    if (!isBackstayError(error)) throw error;
    return { kind: "damaged", error };
  }
}

export function enrolledMachine(
  keys: MachineKeys,
  membership: Membership,
  fingerprint: Fingerprint,
): EnrolledMachine {
  return {
    membership,
    identityKey: privateKeyOf("ed25519", keys.identitySeed),
    sealingKey: privateKeyOf("x25519", keys.sealingSeed),
    installationId: keys.installationId,
    fingerprint,
  };
}

/** A repair is taken over, so that years of single repairs don't add up to another machine. */
async function followDrift(
  store: IdentityStore,
  record: IdentityRecord,
  now: Fingerprint,
): Promise<void> {
  // What can't be read just now is still known.
  const fingerprint = { ...record.keys.fingerprint, ...now };
  if (differingMarks(record.keys.fingerprint, now).length === 0) {
    const isKnown = Object.keys(now).every((name) => record.keys.fingerprint[name] !== undefined);
    if (isKnown) return;
  }
  // If the disk does not take it, the next start tries again.
  await store
    .write({ ...record, keys: { ...record.keys, fingerprint } })
    .catch((error: unknown) => {
      if (!isBackstayError(error)) throw error;
    });
}
