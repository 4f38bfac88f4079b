/** The audit log in the management API. */
import { z } from "zod";

export const auditEntryAnswer = z.object({
  sequence: z.int(),
  timeMs: z.number(),
  tenantId: z.string().nullable(),
  actor: z.string().describe("`token:<id>`, `agent:<id>` or `server`."),
  action: z.string().describe("`noun.verb`."),
  target: z.string(),
  details: z.record(z.string(), z.unknown()),
});
export type AuditEntryAnswer = z.output<typeof auditEntryAnswer>;

export const auditVerdictAnswer = z.object({
  entries: z.int().describe("So many are as they were written, from the first on."),
  brokenAt: z.int().nullable().describe("The first that is missing or was altered; null: none."),
});
export type AuditVerdictAnswer = z.output<typeof auditVerdictAnswer>;
