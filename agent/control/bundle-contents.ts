/** What a bundle whose signature is good says: policies, where they send backups, and the secrets for that. */
import { BackstayError, type ErrorContext } from "../../protocol/backstay-error.ts";
import {
  type BundleDocument,
  type DestinationDocument,
  destinationDocument,
  repositoryScheme,
  type TrustDocument,
} from "../../protocol/control/bundle.ts";
import { openSecret } from "../../protocol/control/sealed-secret.ts";
import { signedHeader, verifyDocument } from "../../protocol/control/signed-document.ts";
import { policy, policyVersion } from "../../protocol/policy/policy.ts";
import { secretReferences } from "../../protocol/policy/secret-references.ts";
import { type BundleFloors, lowestEpoch } from "./bundle-floors.ts";
import { type Destination, resolvedDestination, type ServerPolicy } from "./bundle-in-force.ts";
import { type BundleReader, translated } from "./bundle-reader.ts";

const destinationCharactersMax = 64_000;

/** By name. BUNDLE_NEWER, BUNDLE_INVALID, BUNDLE_DESTINATION. */
export function policiesOf(document: BundleDocument): Map<string, ServerPolicy> {
  const policies = new Map<string, ServerPolicy>();
  for (const {
    policyId,
    policyVersion: version,
    managedBy,
    document: written,
    former,
  } of document.policies) {
    const writtenVersion = written["version"];
    if (typeof writtenVersion === "number" && writtenVersion > policyVersion)
      throw new BackstayError("BUNDLE_NEWER", { policy: policyId, version: writtenVersion });
    const result = policy.safeParse(written);
    if (!result.success) {
      const [issue] = result.error.issues;
      const place = issue?.path.join(".") ?? "";
      throw invalid({ policy: policyId, place, problem: issue?.message ?? "" });
    }
    const { name, destination } = result.data;
    if (policies.has(name)) throw invalid({ policy: name, problem: "there are two of this name" });
    if (!destination.repository.startsWith(repositoryScheme))
      throw new BackstayError("BUNDLE_DESTINATION", { policy: name, problem: "is not signed" });
    policies.set(name, {
      policyId,
      policyVersion: version,
      managedBy,
      policy: result.data,
      document: written as ServerPolicy["document"],
      repositoryId: destination.repository.slice(repositoryScheme.length),
      former,
    });
  }
  return policies;
}

export interface Destinations {
  readonly destinations: Map<string, Destination>;
  readonly epochs: Record<string, { epoch: number; signer: string }>;
}

/** Each signed by a key for that and not older than accepted. BUNDLE_DESTINATION. */
export function destinationsOf(
  document: BundleDocument,
  trust: TrustDocument,
  reader: BundleReader,
  floors?: BundleFloors,
): Destinations {
  const destinations = new Map<string, Destination>();
  const epochs: Destinations["epochs"] = {};
  for (const jws of document.destinations) {
    const { signer, content } = translated("BUNDLE_DESTINATION", () => ({
      signer: signedHeader(jws, destinationCharactersMax).kid,
      content: verifyDocument<DestinationDocument>(jws, {
        type: "destination",
        schema: destinationDocument,
        keys: trust.roles.destination,
        charactersMax: destinationCharactersMax,
      }),
    }));
    const { repositoryId, epoch, name } = content;
    if (content.tenantId !== reader.tenantId)
      throw new BackstayError("BUNDLE_DESTINATION", { name, problem: "is another tenant's" });
    const accepted = floors === undefined ? 0 : lowestEpoch(floors, repositoryId, trust);
    if (epoch < accepted) throw new BackstayError("BUNDLE_DESTINATION", { name, epoch, accepted });
    if (destinations.has(repositoryId))
      throw new BackstayError("BUNDLE_DESTINATION", { name, problem: "is there twice" });
    const previous = document.previousPasswords[repositoryId] ?? [];
    const stand = Object.hasOwn(document.repositoryStands, repositoryId)
      ? document.repositoryStands[repositoryId]
      : undefined;
    destinations.set(repositoryId, resolvedDestination(content, reader.agentId, previous, stand));
    epochs[repositoryId] = { epoch, signer };
  }
  return { destinations, epochs };
}

/**
 * All that is named is there, and all that is there can be opened: else backups would fail later, without a server.
 * BUNDLE_INVALID.
 */
export function requireSecrets(
  document: BundleDocument,
  policies: ReadonlyMap<string, ServerPolicy>,
  destinations: ReadonlyMap<string, Destination>,
  reader: BundleReader,
): void {
  const named = [
    ...[...policies.values()].flatMap((each) => secretReferences(each.policy)),
    ...[...policies.values()].flatMap((each) => each.former.map((place) => place.passwordSecret)),
    ...[...destinations.values()].flatMap(secretsOfDestination),
  ];
  for (const name of named)
    if (!Object.hasOwn(document.secrets, name))
      throw invalid({ secret: name, problem: "is named, but not there" });
  for (const [name, sealed] of Object.entries(document.secrets))
    try {
      openSecret(sealed, reader.sealingKey);
    } catch (cause) {
      throw new BackstayError(
        "BUNDLE_INVALID",
        { secret: name, problem: "cannot be opened" },
        cause,
      );
    }
}

function secretsOfDestination({ routes, previousPasswords }: Destination): string[] {
  const accounts = routes.map((route) =>
    route.kind === "gateway" ? route.passwordSecret : route.credentialsSecret,
  );
  return [...previousPasswords, ...accounts.filter((name) => name !== undefined)];
}

function invalid(context: ErrorContext): BackstayError {
  return new BackstayError("BUNDLE_INVALID", context);
}
