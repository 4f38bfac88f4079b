/** All of a tenant that bundles are compiled from, as it is at one revision: read once, used for all its machines. */
import type { Selectable } from "kysely";
import { type DestinationDocument, destinationDocument } from "../../protocol/control/bundle.ts";
import type { EntitledTime } from "../../protocol/control/entitlement-stand.ts";
import type { RepositoryModes } from "../../protocol/control/repository-stand.ts";
import { unverifiedContent } from "../../protocol/control/signed-document.ts";
import { type PolicyDocument, policy } from "../../protocol/policy/policy.ts";
import { secretReferences } from "../../protocol/policy/secret-references.ts";
import type { Tables } from "../database/tables.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { secretContext } from "../ground/tenant-secret.ts";
import { keptDocument, repositoryName } from "./policy-check.ts";
import { membersOf, modesOf } from "./pool-members.ts";
import { previousValues } from "./previous-values.ts";
import { type RolloutStand, rolloutStand } from "./rollout.ts";
import { secretsOfServer } from "./route-secrets.ts";
import type { KeyRing, SigningKeys } from "./signing-keys.ts";

/** What the licence of the installation says to machines. */
export interface LicenceTerms extends EntitledTime {
  readonly licenceId: string;
}

/** One version of a policy's document. */
export interface PolicyText {
  readonly version: number;
  readonly document: PolicyDocument;
  readonly repositoryName: string | undefined;
  readonly passwordSecret: string;
  /** All secrets that it names, the password among them. */
  readonly secrets: readonly string[];
}

export interface PolicyView {
  readonly id: string;
  readonly name: string;
  readonly managedBy: "agent" | "server";
  readonly current: PolicyText;
  /** The version before; what machines get that a rollout has not reached. */
  readonly previous: PolicyText | undefined;
  readonly rollout: RolloutStand | undefined;
  /** Secrets that were its password before, newest first. */
  readonly formerPasswords: readonly string[];
}

export interface RepositoryView {
  readonly id: string;
  /** As machines get it. */
  readonly jws: string;
  readonly destination: DestinationDocument;
  readonly stand: { readonly modes: RepositoryModes; readonly number: number };
}

/** A repository that consists of others. */
export interface PoolView {
  readonly id: string;
  /** Names. */
  readonly members: readonly string[];
}

export interface TenantView {
  readonly tenantId: string;
  readonly revision: number;
  readonly recoveryKey: { readonly id: string; readonly key: string } | undefined;
  readonly policies: ReadonlyMap<string, PolicyView>;
  /** Usable ones, by name. */
  readonly repositories: ReadonlyMap<string, RepositoryView>;
  /** By name. */
  readonly pools: ReadonlyMap<string, PoolView>;
  /** Ids of policies by the group and by the machine that they are given to. */
  readonly byGroup: ReadonlyMap<string, readonly string[]>;
  readonly byAgent: ReadonlyMap<string, readonly string[]>;
  readonly ring: KeyRing;
  /** Signed. */
  readonly trust: string;
  readonly licence: LicenceTerms;
  secret(name: string): Buffer | undefined;
  /** What it was before, newest first. */
  previousSecrets(name: string): Buffer[];
}

export interface TenantViewSources {
  readonly ground: ServerGround;
  readonly keys: SigningKeys;
  /** The licence that counts now. */
  readonly licence: (queries: Queries) => Promise<LicenceTerms>;
}

/** Reads it. What changes meanwhile has raised the revision, and is read again for it. */
export async function readTenantView(
  { ground, keys, licence }: TenantViewSources,
  tenantId: string,
  revision: number,
): Promise<TenantView> {
  const { database } = ground;
  const tenant = await database
    .selectFrom("tenants")
    .select("recovery_key")
    .where("id", "=", tenantId)
    .executeTakeFirstOrThrow();
  const ofTenant = <Table extends "policies" | "repositories" | "secrets" | "policy_assignments">(
    table: Table,
  ) =>
    database
      .selectFrom(table as "policies")
      .selectAll()
      .where("tenant_id", "=", tenantId)
      .execute() as unknown as Promise<Selectable<Tables[Table]>[]>;
  const policies = await ofTenant("policies");
  const repositories = await ofTenant("repositories");
  const assignments = await ofTenant("policy_assignments");
  const secrets = new Map((await ofTenant("secrets")).map((row) => [row.name, row]));
  const ring = await keys.ring();
  const open = (name: string, sealed: string | null | undefined): Buffer | undefined =>
    typeof sealed === "string"
      ? Buffer.from(ground.vault.open(sealed, secretContext(tenantId, name)))
      : undefined;
  const views = repositoryViews(repositories);
  // But for those that machines have by a signed destination of before.
  const given = [...views.values()].flatMap(({ destination }) =>
    destination.routes.map((route) => (route.kind === "direct" ? route.secret : undefined)),
  );
  const ofServer = secretsOfServer(repositories).difference(new Set(given));
  return {
    tenantId,
    revision,
    recoveryKey:
      tenant.recovery_key === null
        ? undefined
        : (JSON.parse(tenant.recovery_key) as { id: string; key: string }),
    policies: new Map(policies.map((row) => [row.id, policyView(row)])),
    repositories: views,
    pools: new Map(
      repositories
        .filter((row) => membersOf(row).length > 0)
        .map((row) => [row.name, { id: row.id, members: membersOf(row) }]),
    ),
    byGroup: policiesBy(assignments, "group_id"),
    byAgent: policiesBy(assignments, "agent_id"),
    ring,
    trust: ring.trust(tenantId),
    licence: await licence(database),
    secret: (name) => (ofServer.has(name) ? undefined : open(name, secrets.get(name)?.sealed)),
    previousSecrets: (name) =>
      previousValues(secrets.get(name)?.previous_sealed ?? null).map((sealed) =>
        Buffer.from(ground.vault.open(sealed, secretContext(tenantId, name))),
      ),
  };
}

function policyView(row: Selectable<Tables["policies"]>): PolicyView {
  return {
    id: row.id,
    name: row.name,
    managedBy: row.managed_by,
    current: policyText(row.document, row.policy_version),
    previous:
      row.previous_document === null
        ? undefined
        : policyText(row.previous_document, row.previous_version ?? 0),
    rollout: row.rollout === null ? undefined : rolloutStand.parse(JSON.parse(row.rollout)),
    formerPasswords: JSON.parse(row.former_passwords) as string[],
  };
}

function policyText(text: string, version: number): PolicyText {
  const document = keptDocument(text);
  const read = policy.parse(document);
  return {
    version,
    document,
    repositoryName: repositoryName(read.destination),
    passwordSecret: read.encryption.password.secret,
    secrets: secretReferences(read),
  };
}

function repositoryViews(
  rows: readonly Selectable<Tables["repositories"]>[],
): Map<string, RepositoryView> {
  const views = new Map<string, RepositoryView>();
  for (const row of rows) {
    const { id, name, destination, stand_number: number } = row;
    if (destination !== null)
      views.set(name, {
        id,
        jws: destination,
        destination: destinationDocument.parse(unverifiedContent(destination)),
        stand: { modes: modesOf(row), number },
      });
  }
  return views;
}

function policiesBy(
  rows: readonly Selectable<Tables["policy_assignments"]>[],
  column: "group_id" | "agent_id",
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const row of rows) {
    const id = row[column];
    if (id !== null) found.set(id, [...(found.get(id) ?? []), row.policy_id]);
  }
  return found;
}
