/**
 * What a server wants of one agent, as signed documents. Each is a compact JWS (EdDSA, `kid` = id of the key); what is
 * here are their payloads, with `typ` of the header beside them. Bytes are verified as they came, never written anew.
 */
import { z } from "zod";
import { rawKey, tlsPin } from "./enrolment.ts";
import { repositoryStand } from "./repository-state.ts";

export const signedDocument = z.string().max(4_000_000);
export const signatureTypes = {
  trust: "backstay-trust+jws",
  bundle: "backstay-bundle+jws",
  destination: "backstay-destination+jws",
  entitlement: "backstay-entitlement+jws",
  command: "backstay-command+jws",
  request: "backstay-request+jwt",
  licence: "backstay-licence+jws",
  "repository-state": "backstay-repository-state+jws",
} as const;
export type SignatureType = keyof typeof signatureTypes;

/** The `kid` of the root key: a server has one for good. */
export const rootKeyId = "root";
/**
 * No bundle is numbered higher, whatever a clock says: who has a stolen key could else go where no server can follow.
 */
export const bundleSerialMax = 2 ** 40;
/** In `critical` of bundles with a destination whose accounts are issued. */
export const issuedAccountsFeature = "issued-accounts";
/** What `destination.repository` of a server's policy begins with; the id of the repository follows. */
export const repositoryScheme = "backstay:";

/** The secret of a bundle that holds the password of the machine's account at the gateway. */
export function gatewaySecretName(repositoryId: string): string {
  return `gateway:${repositoryId}`;
}

const publicKey = z.object({ id: z.string().min(1).max(100), key: rawKey });

/** Who may sign what. Signed by the root key; a higher version replaces a lower one. */
export const trustDocument = z.object({
  type: z.literal("trust"),
  version: z.int().min(1),
  tenantId: z.string(),
  roles: z.object({
    /** Signs bundles, commands and entitlements. */
    policy: z.array(publicKey).min(1),
    /** Signs where data goes; may be kept offline. */
    destination: z.array(publicKey).min(1),
  }),
  issuedMs: z.number(),
});
export type TrustDocument = z.output<typeof trustDocument>;

/** Where the data of a repository goes. `{tenant}` and `{agent}` in addresses stand for the ids of the reader. */
export const destinationDocument = z.object({
  type: z.literal("destination"),
  tenantId: z.string(),
  repositoryId: z.string(),
  name: z.string(),
  /** Rises with each change; a lower one than known is refused. */
  epoch: z.int().min(1),
  /** In the order in which they are tried. */
  routes: z
    .array(
      z.discriminatedUnion("kind", [
        /** restic's REST protocol below `<url>/<repositoryId>/<agentId>/`. */
        z.object({ kind: z.literal("gateway"), url: z.string(), pins: z.array(tlsPin) }),
        /**
         * An address as --repo takes it; `secret` names the secret of the bundle with its credentials. If it is `issued`,
         * the server gives accounts that end (`storageAccount` of agent-api.ts), and no secret is named.
         */
        z.object({
          kind: z.literal("direct"),
          url: z.string(),
          secret: z.string().optional(),
          issued: z.boolean().optional(),
        }),
      ]),
    )
    .min(1),
  issuedMs: z.number(),
});
export type DestinationDocument = z.output<typeof destinationDocument>;

/** What the licence allows this machine. It never stops backups or restores. */
export const entitlementDocument = z.object({
  type: z.literal("entitlement"),
  tenantId: z.string(),
  agentId: z.string(),
  licenceId: z.string(),
  /** Absent: without end. */
  validUntilMs: z.number().optional(),
  graceDays: z.int().min(0),
  issuedMs: z.number(),
});
export type EntitlementDocument = z.output<typeof entitlementDocument>;

export const bundleDocument = z.object({
  type: z.literal("bundle"),
  version: z.literal(1),
  tenantId: z.string(),
  agentId: z.string(),
  /** Only rises: max(previous + 1, seconds since 1970). */
  serial: z.int().min(1).max(bundleSerialMax),
  issuedMs: z.number(),
  /** After that the agent says that its policies are old. It goes on all the same. */
  refreshByMs: z.number(),
  /** No policies, or far fewer than before, are refused unless this says that it is meant. */
  intent: z.enum(["normal", "pause", "stop"]),
  /** Names of features that an agent must know, or refuse the bundle. */
  critical: z.array(z.string()).default([]),
  policies: z.array(
    z.object({
      policyId: z.string(),
      policyVersion: z.int(),
      /** `server`: its schedule runs on the server, which sends commands; the agent starts nothing of it by time or event. */
      managedBy: z.enum(["agent", "server"]),
      /** A PolicyDocument (protocol/policy); its `destination.repository` is `backstay:<repositoryId>`. */
      document: z.record(z.string(), z.unknown()),
      /** Repositories that hold backups of it from before: other members of its pool, newest first. */
      former: z
        .array(z.object({ repositoryId: z.string(), passwordSecret: z.string() }))
        .max(100)
        .default([]),
    }),
  ),
  /** JWS of DestinationDocument, all that the policies name. */
  destinations: z.array(signedDocument),
  /** Each a compact JWE (ECDH-ES, A256GCM) to the agent's sealing key. By the names that policies and routes use. */
  secrets: z.record(z.string(), z.string()),
  /** Per repository: passwords that it had before, newest first, names of secrets. For a change without a new full. */
  previousPasswords: z.record(z.string(), z.array(z.string())).default({}),
  /** By id of the repository: maintenance and seals; absent: nothing was ever decided. */
  repositoryStands: z.record(z.string(), repositoryStand).default({}),
  /** Public X25519 key to which the agent seals a recovery password for each repository; absent: no escrow. */
  recoveryKey: publicKey.optional(),
  entitlement: signedDocument.optional(),
  /** JWS of TrustDocument. */
  trust: signedDocument,
  /** How this server is reached from now on. */
  server: z.object({ urls: z.array(z.string()).min(1), pins: z.array(tlsPin) }),
  rolloutId: z.string().optional(),
});
export type BundleDocument = z.output<typeof bundleDocument>;

export const bundleAnswer = z.object({ bundle: signedDocument });
