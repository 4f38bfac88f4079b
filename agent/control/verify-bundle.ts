/**
 * Whether a bundle may be used on this machine: signed by a key that the pinned root key vouches for, made for this
 * machine, newer than what was accepted, and saying only what is understood. Pure: what was accepted before is given.
 */
import { createHash } from "node:crypto";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import {
  type BundleDocument,
  bundleDocument,
  type EntitlementDocument,
  entitlementDocument,
  issuedAccountsFeature,
  rootKeyId,
  type TrustDocument,
  trustDocument,
} from "../../protocol/control/bundle.ts";
import { openSecret } from "../../protocol/control/sealed-secret.ts";
import {
  type KnownKey,
  signedHeader,
  unverifiedContent,
  verifyDocument,
} from "../../protocol/control/signed-document.ts";
import { destinationsOf, policiesOf, requireSecrets } from "./bundle-contents.ts";
import { type BundleFloors, lowestSerial } from "./bundle-floors.ts";
import type { BundleInForce } from "./bundle-in-force.ts";
import { type BundleReader, translated } from "./bundle-reader.ts";

/** A bundle that may be used, and what must not be gone below from now on. */
export interface VerifiedBundle {
  readonly bundle: BundleInForce;
  readonly floors: BundleFloors;
}

const bundleCharactersMax = 4_000_000;
const trustCharactersMax = 64_000;
/** Features of bundles that a server may demand to be known. */
const knownFeatures: ReadonlySet<string> = new Set([issuedAccountsFeature]);

/**
 * The bundle, ready for use. Without `floors` its age does not matter: for what this machine keeps itself. Throws
 * BUNDLE_TOO_LARGE, BUNDLE_TRUNCATED, BUNDLE_TRUST, BUNDLE_UNSIGNED, BUNDLE_FOREIGN, BUNDLE_OLD, BUNDLE_NEWER,
 * BUNDLE_INVALID, BUNDLE_DESTINATION; what BUNDLE_EMPTY guards is for the caller to compare.
 */
export function verifyBundle(
  jws: string,
  reader: BundleReader,
  floors?: BundleFloors,
): VerifiedBundle {
  const { trust, signer, document } = signedBundle(jws, reader, floors);
  const hash = bundleHash(jws);
  if (document.tenantId !== reader.tenantId || document.agentId !== reader.agentId)
    throw new BackstayError("BUNDLE_FOREIGN", { agent: document.agentId });
  const { serial } = document;
  if (floors !== undefined) {
    const lowest = lowestSerial(floors, trust);
    if (serial < lowest || (serial === floors.serial && serial === lowest && hash !== floors.hash))
      throw new BackstayError("BUNDLE_OLD", { serial, accepted: lowest });
  }
  const unknown = document.critical.find((feature) => !knownFeatures.has(feature));
  if (unknown !== undefined) throw new BackstayError("BUNDLE_NEWER", { feature: unknown });
  const policies = policiesOf(document);
  const { destinations, epochs } = destinationsOf(document, trust, reader, floors);
  for (const { repositoryId, former, policy: given } of policies.values())
    if (
      ![repositoryId, ...former.map((place) => place.repositoryId)].every((id) =>
        destinations.has(id),
      )
    )
      throw new BackstayError("BUNDLE_DESTINATION", { policy: given.name, problem: "is missing" });
  requireSecrets(document, policies, destinations, reader);
  return {
    bundle: inForce(document, trust, reader, { hash, policies, destinations }),
    floors: {
      trustVersion: trust.version,
      serial,
      hash,
      signer,
      epochs: { ...floors?.epochs, ...epochs },
    },
  };
}

/** SHA-256 of a bundle as it came, hex. */
export function bundleHash(jws: string): string {
  return createHash("sha256").update(jws).digest("hex");
}

interface SignedBundle {
  readonly trust: TrustDocument;
  /** Id of the key that signed the bundle. */
  readonly signer: string;
  readonly document: BundleDocument;
}

/** First who may sign, by the root key, then what is signed. Nothing else of the content is looked at before. */
function signedBundle(jws: string, reader: BundleReader, floors?: BundleFloors): SignedBundle {
  const limit = { charactersMax: bundleCharactersMax };
  const { kid, content } = translated("BUNDLE_UNSIGNED", () => {
    const header = signedHeader(jws, bundleCharactersMax);
    return { kid: header.kid, content: unverifiedContent(jws, bundleCharactersMax) };
  });
  const trust = trustOf(content, reader, floors);
  const keys = trust.roles.policy;
  const document = translated("BUNDLE_UNSIGNED", () =>
    verifyDocument(jws, { type: "bundle", schema: bundleDocument, keys, ...limit }),
  );
  return { trust, signer: kid, document };
}

function trustOf(content: unknown, reader: BundleReader, floors?: BundleFloors): TrustDocument {
  const text =
    typeof content === "object" && content !== null && "trust" in content ? content.trust : "";
  const keys: KnownKey[] = [{ id: rootKeyId, key: reader.rootKey }];
  const trust = translated("BUNDLE_TRUST", () =>
    verifyDocument(typeof text === "string" ? text : "", {
      type: "trust",
      schema: trustDocument,
      keys,
      charactersMax: trustCharactersMax,
    }),
  );
  if (trust.tenantId !== reader.tenantId)
    throw new BackstayError("BUNDLE_TRUST", { problem: "it is another tenant's" });
  if (floors !== undefined && trust.version < floors.trustVersion)
    throw new BackstayError("BUNDLE_TRUST", {
      version: trust.version,
      accepted: floors.trustVersion,
    });
  return trust;
}

function inForce(
  document: BundleDocument,
  trust: TrustDocument,
  reader: BundleReader,
  parts: Pick<BundleInForce, "hash" | "policies" | "destinations">,
): BundleInForce {
  const { serial, issuedMs, refreshByMs, intent, secrets, server } = document;
  return {
    ...parts,
    serial,
    issuedMs,
    refreshByMs,
    intent,
    recoveryKey: document.recoveryKey,
    entitlement: entitlementOf(document, trust, reader),
    server,
    rolloutId: document.rolloutId,
    trust,
    secretNames: Object.keys(secrets),
    secret: (name) =>
      Object.hasOwn(secrets, name) ? openSecret(secrets[name], reader.sealingKey) : undefined,
  };
}

/** One that cannot be read never stands in the way of backups: it counts as none. */
function entitlementOf(
  document: BundleDocument,
  trust: TrustDocument,
  reader: BundleReader,
): EntitlementDocument | undefined {
  try {
    const entitlement = verifyDocument(document.entitlement ?? "", {
      type: "entitlement",
      schema: entitlementDocument,
      keys: trust.roles.policy,
    });
    return entitlement.agentId === reader.agentId ? entitlement : undefined;
  } catch (error) {
    if (isBackstayError(error)) return undefined;
    throw error;
  }
}
