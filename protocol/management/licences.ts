/** The licence of the installation, and recovery passwords in escrow, in the management API. */
import { z } from "zod";
import { moment, resourceId } from "./resource.ts";

const machineCount = z.object({
  used: z.int(),
  most: z.int().nullable().describe("Null: any number."),
});

export const licenceAnswer = z.object({
  id: z.string(),
  holder: z.string(),
  stand: z.string(),
  validUntilMs: z.number().nullable().describe("Null: without end."),
  graceDays: z.number(),
  machines: z.object({ workstation: machineCount, server: machineCount }),
  installedMs: moment.nullable().describe("Null: the community licence, which is built in."),
  jws: z.string().nullable().describe("As its issuer gave it; null: built in."),
});
export type LicenceAnswer = z.output<typeof licenceAnswer>;

export const licenceBody = z.strictObject({
  jws: z.string().min(1).max(20_000).describe("The licence as its issuer gave it."),
});

export const escrowAnswer = z.object({
  id: resourceId,
  tenantId: resourceId,
  agentId: resourceId,
  repositoryId: resourceId,
  recoveryKeyId: z.string(),
  keyName: z.string().describe("Name of the key file in the repository that it opens."),
  createdMs: moment,
});
export type EscrowAnswer = z.output<typeof escrowAnswer>;

export const releasedEscrowAnswer = escrowAnswer.extend({
  sealed: z.string().describe("Compact JWE to the tenant's recovery key."),
});
export type ReleasedEscrowAnswer = z.output<typeof releasedEscrowAnswer>;
