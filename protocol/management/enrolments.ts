/** Enrolment tokens, requests to join, and doubled identities in the management API. */
import { z } from "zod";
import { machineFacts } from "../control/enrolment.ts";
import {
  displayName,
  labels,
  moment,
  ownerTenant,
  resourceId,
  tenantResource,
} from "./resource.ts";

const tokenSettings = {
  usesMax: z.int().min(1).max(1_000_000).describe("Machines that may join by it."),
  expiresMs: moment,
  groupId: resourceId.nullable().describe("A group into which people put machines; null: none."),
  labels: labels.describe("What each machine is labelled with."),
  networks: z
    .array(z.string().min(1).max(64))
    .max(100)
    .describe("CIDR blocks that machines must come from; empty: anywhere."),
  needsApproval: z.boolean(),
  agentId: resourceId
    .nullable()
    .describe("A voucher: the machine that is to take its place again; null: new machines."),
};

export const newEnrolmentTokenBody = z.strictObject({
  ...ownerTenant.shape,
  name: displayName,
  ...tokenSettings,
  usesMax: tokenSettings.usesMax.default(1),
  groupId: tokenSettings.groupId.default(null),
  labels: tokenSettings.labels.default({}),
  networks: tokenSettings.networks.default([]),
  needsApproval: tokenSettings.needsApproval.default(false),
  agentId: tokenSettings.agentId.default(null),
});

export const enrolmentTokenAnswer = z.object({
  ...tenantResource.shape,
  name: z.string(),
  ...tokenSettings,
  labels: z.record(z.string(), z.string()),
  networks: z.array(z.string()).readonly(),
  uses: z.int(),
  revokedMs: moment.nullable(),
});
export type EnrolmentTokenAnswer = z.output<typeof enrolmentTokenAnswer>;

export const newEnrolmentTokenAnswer = enrolmentTokenAnswer.extend({
  token: z.string().describe("What machines are given. Shown this once."),
});
export type NewEnrolmentTokenAnswer = z.output<typeof newEnrolmentTokenAnswer>;

export const requestStates = ["pending", "approved", "denied"] as const;

export const enrolmentRequestAnswer = z.object({
  id: resourceId,
  tenantId: resourceId,
  tokenId: resourceId.nullable(),
  forkedFrom: resourceId
    .nullable()
    .describe("The machine of which it is a copy, if it asks to be its own."),
  facts: machineFacts,
  address: z.string(),
  keyThumbprint: z.string().describe("The same that `backstay enroll` shows on the machine."),
  state: z.enum(requestStates),
  agentId: resourceId.nullable(),
  createdMs: moment,
  decidedMs: moment.nullable(),
  decidedBy: z.string().nullable(),
  version: z.int(),
});
export type EnrolmentRequestAnswer = z.output<typeof enrolmentRequestAnswer>;

export const conflictStates = ["open", "forked", "dismissed"] as const;

export const identityConflictAnswer = z.object({
  id: resourceId,
  tenantId: resourceId,
  agentId: resourceId,
  state: z.enum(conflictStates),
  evidence: z.object({
    isDecided: z
      .boolean()
      .describe("It is known which machine was enrolled: the others are refused."),
    runs: z
      .array(
        z.object({
          runId: z.string(),
          address: z.string(),
          firstSeenMs: z.number(),
          lastSeenMs: z.number(),
          isForeign: z.boolean().describe("Its machine is not the one that was enrolled."),
        }),
      )
      .readonly(),
  }),
  createdMs: moment,
  updatedMs: moment,
});
export type IdentityConflictAnswer = z.output<typeof identityConflictAnswer>;
