/** What a verified bundle says to this machine, in the words of the machine: the only form in which the agent uses one. */
import {
  type DestinationDocument,
  type EntitlementDocument,
  gatewaySecretName,
  type TrustDocument,
} from "../../protocol/control/bundle.ts";
import type { RepositoryStand } from "../../protocol/control/repository-stand.ts";
import type { Policy, PolicyDocument } from "../../protocol/policy/policy.ts";

/** A policy of the server. */
export interface ServerPolicy {
  readonly policyId: string;
  readonly policyVersion: number;
  /** `server`: nothing of it starts here by time or event; the server sends commands. */
  readonly managedBy: "agent" | "server";
  readonly policy: Policy;
  /** As it came. `destination.repository` is `backstay:<repositoryId>`. */
  readonly document: PolicyDocument;
  /** What `destination.repository` names. */
  readonly repositoryId: string;
  /** Repositories that hold older backups of it, newest first, with the names of their passwords. */
  readonly former: readonly { readonly repositoryId: string; readonly passwordSecret: string }[];
}

/** One way to a repository. */
export type DestinationRoute =
  | {
      readonly kind: "gateway";
      /** `rest:https://…/<repositoryId>/<agentId>/`, as --repo takes it. */
      readonly repository: string;
      readonly user: string;
      /** Name of the secret (`BundleInForce.secret`) with its password. */
      readonly passwordSecret: string;
      /** `sha256/…`; empty: the machine's own authorities decide. */
      readonly pins: readonly string[];
    }
  | {
      readonly kind: "direct";
      /** As --repo takes it, `{tenant}` and `{agent}` filled in. */
      readonly repository: string;
      /** Name of the secret with its account, if it needs one. */
      readonly credentialsSecret: string | undefined;
      /** The server gives accounts that end. */
      readonly isIssued: boolean;
    };

/** Where the backups of a repository go. */
export interface Destination {
  readonly repositoryId: string;
  readonly name: string;
  readonly epoch: number;
  /** Whether it takes part, as the server has told; undefined: nothing was ever decided. */
  readonly stand: RepositoryStand | undefined;
  /** In the order in which they are tried; at least one. */
  readonly routes: readonly DestinationRoute[];
  /** Names of secrets: passwords that the repository had before, newest first. */
  readonly previousPasswords: readonly string[];
}

/** A bundle that has passed every check. Immutable. */
export interface BundleInForce {
  readonly serial: number;
  /** SHA-256 of the bundle, hex: the ETag of the poll, without quotes. */
  readonly hash: string;
  readonly issuedMs: number;
  /** After that the policies are old, which is to be told and stops nothing. */
  readonly refreshByMs: number;
  /** Why there may be fewer policies than before; nothing else follows from it. */
  readonly intent: "normal" | "pause" | "stop";
  /** By name. */
  readonly policies: ReadonlyMap<string, ServerPolicy>;
  /** By id of the repository; all that the policies name. */
  readonly destinations: ReadonlyMap<string, Destination>;
  /** To it recovery passwords are sealed; undefined: no escrow. */
  readonly recoveryKey: { readonly id: string; readonly key: string } | undefined;
  /** Undefined if there is none that can be read: that counts as allowed. */
  readonly entitlement: EntitlementDocument | undefined;
  /** How the server is reached from now on. */
  readonly server: { readonly urls: readonly string[]; readonly pins: readonly string[] };
  readonly rolloutId: string | undefined;
  /** Who may sign commands: `trust.roles.policy`. */
  readonly trust: TrustDocument;
  readonly secretNames: readonly string[];
  /** The value of a secret of the bundle, opened anew at each call; undefined if there is none of that name. */
  secret(name: string): Buffer | undefined;
}

/** The destination as this machine sees it. */
export function resolvedDestination(
  document: DestinationDocument,
  agentId: string,
  previousPasswords: readonly string[],
  stand: RepositoryStand | undefined,
): Destination {
  const { repositoryId, name, epoch, tenantId } = document;
  const routes = document.routes.map((route): DestinationRoute => {
    if (route.kind === "gateway") {
      const base = route.url.replace(/\/+$/, "");
      return {
        kind: "gateway",
        repository: `rest:${base}/${repositoryId}/${agentId}/`,
        user: agentId,
        passwordSecret: gatewaySecretName(repositoryId),
        pins: route.pins,
      };
    }
    const repository = route.url.replaceAll("{tenant}", tenantId).replaceAll("{agent}", agentId);
    const { secret: credentialsSecret, issued = false } = route;
    return { kind: "direct", repository, credentialsSecret, isIssued: issued };
  });
  return { repositoryId, name, epoch, stand, routes, previousPasswords };
}
