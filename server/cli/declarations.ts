/**
 * What a document of `apply` and `export` says: one thing of the management API each, with the fields of that API and
 * names in place of ids.
 */
import { z } from "zod";
import { repositoryRoute } from "../../protocol/control/repository-route.ts";
import { repositoryModes } from "../../protocol/control/repository-state.ts";
import { newEnrolmentTokenBody } from "../../protocol/management/enrolments.ts";
import { groupSelector } from "../../protocol/management/groups.ts";
import { licenceBody } from "../../protocol/management/licences.ts";
import { newPolicyBody } from "../../protocol/management/policies.ts";
import { repositoryQuotas } from "../../protocol/management/repositories.ts";
import { displayName, labels } from "../../protocol/management/resource.ts";
import { tenantBody } from "../../protocol/management/tenants.ts";
import { policyName } from "../../protocol/policy/scalars.ts";

/** Name or id. */
const reference = z.string().min(1).max(255);
const references = z.array(reference).max(10_000);
/** May be left out while there is only one tenant. */
const owner = { tenant: reference.optional() };

const {
  tenantId: _tenant,
  groupId: _group,
  agentId: _agent,
  ...tokenFields
} = newEnrolmentTokenBody.shape;

export const declaration = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("tenant"), ...tenantBody.shape }),
  z.strictObject({ kind: z.literal("licence"), ...licenceBody.shape }),
  z.strictObject({
    kind: z.literal("repository"),
    ...owner,
    name: policyName,
    routes: z.array(repositoryRoute).max(20).default([]),
    /** Of a pool, in place of routes. */
    members: z.array(policyName).max(100).default([]),
    /** Absent: as they are. */
    modes: repositoryModes.optional(),
    quotas: repositoryQuotas.default({}),
  }),
  /** Machines come by enrolment; here they are given labels. */
  z.strictObject({ kind: z.literal("agent"), ...owner, name: reference, labels }),
  z.strictObject({
    kind: z.literal("group"),
    ...owner,
    name: displayName,
    selector: z.union([
      groupSelector,
      /** A CSV file beside the document. */
      z.strictObject({ kind: z.literal("names"), csv: z.string().min(1) }),
    ]),
    /** Of a static group: these and no others; absent: whoever is in it. */
    agents: references.optional(),
  }),
  z.strictObject({
    kind: z.literal("policy"),
    ...owner,
    document: newPolicyBody.shape.document,
    managedBy: newPolicyBody.shape.managedBy,
    groups: references.default([]),
    agents: references.default([]),
  }),
  z.strictObject({
    kind: z.literal("enrolment-token"),
    ...owner,
    ...tokenFields,
    group: reference.nullable().default(null),
    agent: reference.nullable().default(null),
  }),
]);
export type Declaration = z.output<typeof declaration>;
export type DeclarationKind = Declaration["kind"];
export type DeclarationOf<Kind extends DeclarationKind> = Extract<Declaration, { kind: Kind }>;

/** In the order in which they are applied: what others name comes first. */
export const declarationKinds = [
  "tenant",
  "licence",
  "repository",
  "agent",
  "group",
  "policy",
  "enrolment-token",
] as const satisfies readonly DeclarationKind[];

/** The name by which its server knows it; that of the licence is of no account, for there is one. */
export function nameOf(given: Declaration): string {
  switch (given.kind) {
    case "licence":
      return "licence";
    case "policy": {
      const { name } = given.document;
      return typeof name === "string" ? name : "";
    }
    default:
      return given.name;
  }
}

/** What is as usual is left out, so that people find what is not. */
export function briefly(given: Declaration): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => {
      if (value === null || value === undefined) return false;
      return typeof value !== "object" || Object.keys(value as object).length > 0;
    }),
  );
}
