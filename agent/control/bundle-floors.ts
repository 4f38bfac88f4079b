/**
 * Below which a bundle is older than what this machine has accepted. A floor was vouched for by the key that signed it:
 * when that key is no longer trusted, the floor is void, so that nobody can raise it out of reach with a stolen key.
 */
import { z } from "zod";
import type { TrustDocument } from "../../protocol/control/bundle.ts";

export const bundleFloors = z.object({
  trustVersion: z.int().min(0),
  serial: z.int().min(0),
  /** Of the bundle with that serial, SHA-256 hex. */
  hash: z.string(),
  /** Id of the key that signed it. */
  signer: z.string(),
  /** By id of the repository: of its destination. */
  epochs: z.record(z.string(), z.object({ epoch: z.int().min(1), signer: z.string() })),
});
export type BundleFloors = z.output<typeof bundleFloors>;

/** Of a machine that has never accepted a bundle. */
export const noFloors: BundleFloors = {
  trustVersion: 0,
  serial: 0,
  hash: "",
  signer: "",
  epochs: {},
};

/** The serial below which a bundle is too old. */
export function lowestSerial(floors: BundleFloors, trust: TrustDocument): number {
  return trust.roles.policy.some(({ id }) => id === floors.signer) ? floors.serial : 0;
}

/** The epoch below which the destination of a repository is too old. */
export function lowestEpoch(
  floors: BundleFloors,
  repositoryId: string,
  trust: TrustDocument,
): number {
  if (!Object.hasOwn(floors.epochs, repositoryId)) return 0;
  const { epoch, signer } = floors.epochs[repositoryId];
  return trust.roles.destination.some(({ id }) => id === signer) ? epoch : 0;
}

/** What both say, and where they differ the later one. */
export function laterFloors(a: BundleFloors, b: BundleFloors): BundleFloors {
  const isALater =
    a.trustVersion > b.trustVersion || (a.trustVersion === b.trustVersion && a.serial >= b.serial);
  const [later, earlier] = isALater ? [a, b] : [b, a];
  const epochs = { ...earlier.epochs, ...later.epochs };
  for (const [id, { epoch, signer }] of Object.entries(earlier.epochs))
    if (epochs[id].signer === signer && epoch > epochs[id].epoch) epochs[id] = { epoch, signer };
  return { ...later, epochs };
}
