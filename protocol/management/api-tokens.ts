/** API tokens in the management API. */
import { z } from "zod";
import { displayName, moment, resourceId } from "./resource.ts";

export const tokenRoles = ["read-only", "operator", "admin"] as const;

export const newApiTokenBody = z.strictObject({
  name: displayName,
  tenantId: resourceId
    .nullable()
    .optional()
    .describe("The one tenant that it is for; null: every one; absent: as the asker's own."),
  role: z.enum(tokenRoles),
  expiresMs: moment.nullable().default(null).describe("Null: it does not end by itself."),
});

export const apiTokenAnswer = z.object({
  id: resourceId,
  name: z.string(),
  tenantId: resourceId.nullable(),
  role: z.enum(tokenRoles),
  createdMs: moment,
  expiresMs: moment.nullable(),
  revokedMs: moment.nullable(),
  lastUsedMs: moment.nullable(),
  version: z.int(),
});
export type ApiTokenAnswer = z.output<typeof apiTokenAnswer>;

export const newApiTokenAnswer = apiTokenAnswer.extend({
  token: z.string().describe("Shown this once."),
});
export type NewApiTokenAnswer = z.output<typeof newApiTokenAnswer>;
