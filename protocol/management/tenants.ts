/** Tenants in the management API. */
import { z } from "zod";
import { rawKey } from "../control/enrolment.ts";
import { displayName, moment, resourceId } from "./resource.ts";

const count = z.int().min(0);

export const tenantQuotas = z
  .strictObject({
    agentsMax: count.optional(),
    storedBytesMax: count.optional().describe("Of all its machines; uploads beyond are refused."),
    storedBytesWarn: count.optional(),
  })
  .describe("What is absent has no limit.");

export const tenantBody = z.strictObject({
  name: displayName,
  quotas: tenantQuotas.default({}),
  leaseUntilMs: moment
    .nullable()
    .default(null)
    .describe("After that nothing is taken from its machines any more; null: without end."),
  recoveryKey: z
    .strictObject({ id: z.string().min(1).max(100), key: rawKey })
    .nullable()
    .default(null)
    .describe("Public X25519 key to which machines seal a recovery password; null: no escrow."),
});
export type TenantBody = z.output<typeof tenantBody>;

export const tenantAnswer = tenantBody.extend({
  id: resourceId,
  createdMs: moment,
  version: z.int().min(1),
});
export type TenantAnswer = z.output<typeof tenantAnswer>;
