/** Bundles made by hand, as a server would sign them or as somebody else would like to. */
import type { KeyObject } from "node:crypto";
import {
  type BundleDocument,
  type DestinationDocument,
  type EntitlementDocument,
  rootKeyId,
  type TrustDocument,
} from "../../protocol/control/bundle.ts";
import { newPrivateKey, rawPublicKey } from "../../protocol/control/curve-keys.ts";
import { sealSecret } from "../../protocol/control/sealed-secret.ts";
import {
  type KnownKey,
  type SigningKey,
  signDocument,
} from "../../protocol/control/signed-document.ts";

export const tenantId = "tenant-1";
export const agentId = "agent-1";
export const repositoryId = "repository-1";
const issuedMs = Date.UTC(2026, 6, 1);

/** A new key of that name. */
export function makeSigningKey(id: string): SigningKey {
  return { id, privateKey: newPrivateKey("ed25519") };
}

const knownKey = ({ id, privateKey }: SigningKey): KnownKey => ({
  id,
  key: rawPublicKey(privateKey),
});

/** The keys of a server and of one machine of its. */
export class SigningSide {
  readonly root = makeSigningKey(rootKeyId);
  readonly policy = makeSigningKey("policy-1");
  readonly destination = makeSigningKey("destination-1");
  readonly sealingKey: KeyObject = newPrivateKey("x25519");

  /** What the machine knows. */
  get reader(): {
    tenantId: string;
    agentId: string;
    rootKey: string;
    sealingKey: KeyObject;
  } {
    const rootKey = rawPublicKey(this.root.privateKey);
    return { tenantId, agentId, rootKey, sealingKey: this.sealingKey };
  }

  trust(given: Partial<TrustDocument> = {}, key: SigningKey = this.root): string {
    const roles = { policy: [knownKey(this.policy)], destination: [knownKey(this.destination)] };
    return signDocument(
      "trust",
      { type: "trust", version: 1, tenantId, roles, issuedMs, ...given },
      key,
    );
  }

  /** Keys of others in place of this side's own. */
  roles(policy: readonly SigningKey[], destination: readonly SigningKey[]): TrustDocument["roles"] {
    return { policy: policy.map(knownKey), destination: destination.map(knownKey) };
  }

  destinationOf(
    given: Partial<DestinationDocument> = {},
    key: SigningKey = this.destination,
  ): string {
    const document: DestinationDocument = {
      type: "destination",
      tenantId,
      repositoryId,
      name: "main",
      epoch: 5,
      routes: [
        { kind: "gateway", url: "https://backup.example/gateway", pins: [] },
        { kind: "direct", url: "s3:https://s3.example/{tenant}/{agent}", secret: "s3-account" },
      ],
      issuedMs,
      ...given,
    };
    return signDocument("destination", document, key);
  }

  entitlement(given: Partial<EntitlementDocument> = {}, key: SigningKey = this.policy): string {
    const document: EntitlementDocument = {
      type: "entitlement",
      tenantId,
      agentId,
      licenceId: "licence-1",
      graceDays: 30,
      issuedMs,
      ...given,
    };
    return signDocument("entitlement", document, key);
  }

  sealed(value: string): string {
    return sealSecret(Buffer.from(value), rawPublicKey(this.sealingKey));
  }

  document(given: Partial<BundleDocument> = {}): BundleDocument {
    return {
      type: "bundle",
      version: 1,
      tenantId,
      agentId,
      serial: 100,
      issuedMs,
      refreshByMs: issuedMs + 30 * 86_400_000,
      intent: "normal",
      critical: [],
      policies: [policyOf("documents", ["/data/a", "/data/b"])],
      destinations: [this.destinationOf()],
      secrets: {
        password: this.sealed("secret"),
        [`gateway:${repositoryId}`]: this.sealed("gateway secret"),
        "s3-account": this.sealed("id:key"),
      },
      previousPasswords: {},
      repositoryStands: {},
      entitlement: this.entitlement(),
      trust: this.trust(),
      server: { urls: ["https://backup.example"], pins: [] },
      ...given,
    };
  }

  bundle(given: Partial<BundleDocument> = {}, key: SigningKey = this.policy): string {
    return signDocument("bundle", this.document(given), key);
  }
}

/** A policy as bundles have it. */
export function policyOf(
  name: string,
  paths: readonly string[],
  given: Record<string, unknown> = {},
): BundleDocument["policies"][number] {
  return {
    policyId: `id-of-${name}`,
    policyVersion: 1,
    managedBy: "agent",
    document: {
      version: 1,
      name,
      source: { paths },
      destination: { repository: `backstay:${repositoryId}` },
      encryption: { password: { secret: "password" } },
      ...given,
    },
    former: [],
  };
}
