/** Machines in the management API. */
import { z } from "zod";
import { labels, moment, resourceId, tenantResource } from "./resource.ts";
import { machineStates } from "./sessions.ts";

export const agentStatuses = ["active", "suspended", "revoked"] as const;

export const agentAnswer = z.object({
  ...tenantResource.shape,
  name: z.string(),
  kind: z.enum(["workstation", "server"]),
  labels: z.record(z.string(), z.string()),
  status: z.enum(agentStatuses),
  enrolledMs: moment,
  generation: z.int().describe("Rises with each enrolment of the same machine."),
  state: z.enum(machineStates).describe("How it is, in one word."),
  reason: z.string().describe("Why, in a sentence."),
  overdue: z
    .boolean()
    .describe("The last good backup of a policy is older than that policy wants."),
  live: z
    .object({
      lastSeenMs: z.number(),
      address: z.string(),
      health: z.string(),
      agentVersion: z.string(),
      acceptedSerial: z.number().nullable(),
      statusMs: z.number().nullable(),
    })
    .nullable()
    .describe("What was heard of it last; null: nothing yet."),
});
export type AgentAnswer = z.output<typeof agentAnswer>;

export const agentLabelsBody = z.strictObject({ labels });

/** Whether it is meant that a machine backs up less than before; else it refuses to lose more than half. */
export const agentIntent = z.strictObject({ intent: z.enum(["normal", "pause", "stop"]) });

export const renewPasswordBody = z.strictObject({ repositoryId: resourceId });

export const agentConditionsAnswer = z.object({
  health: z.string(),
  statusMs: z.number().nullable(),
  conditions: z.array(
    z.object({
      code: z.string(),
      subject: z.string(),
      severity: z.string(),
      sinceMs: z.number(),
      text: z.string(),
    }),
  ),
});
export type AgentConditionsAnswer = z.output<typeof agentConditionsAnswer>;

/** What a machine last said of its policies; a policy in force stands in `effective` without secrets. */
export const agentPoliciesAnswer = z.object({
  agentId: resourceId,
  statusMs: z.number().nullable(),
  bundle: z
    .object({
      serial: z.number().optional(),
      state: z.string(),
      code: z.string().optional(),
      text: z.string().optional(),
    })
    .nullable(),
  policies: z.array(z.record(z.string(), z.unknown())),
});
export type AgentPoliciesAnswer = z.output<typeof agentPoliciesAnswer>;
