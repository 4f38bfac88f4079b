/** Policies and their rollouts in the management API. */
import { z } from "zod";
import { moment, ownerTenant, resourceId, tenantResource } from "./resource.ts";

const document = z
  .record(z.string(), z.unknown())
  .describe("A policy document (docs/policies.md); its place is backstay:NAME of a repository.");

const rolloutWave = z.strictObject({
  percent: z.number().gt(0).max(100).describe("Of the machines, with all waves before it."),
  soakMs: z.int().min(0).max(31_536_000_000).describe("How long it is watched before the next."),
});

const settings = {
  document,
  managedBy: z
    .enum(["agent", "server"])
    .default("agent")
    .describe("server: runs are started by commands of the server's schedule."),
  groupIds: z.array(resourceId).max(10_000).default([]),
  agentIds: z.array(resourceId).max(100_000).default([]),
};

export const newPolicyBody = z.strictObject({ ...ownerTenant.shape, ...settings });

export const policyBody = z.strictObject({
  ...settings,
  waves: z
    .array(rolloutWave)
    .max(20)
    .optional()
    .describe("How the change reaches its machines. Absent: the usual waves; empty: at once."),
  isReduction: z
    .boolean()
    .default(false)
    .describe(
      "It is meant that machines back up less, or nothing: else they refuse to lose more than half.",
    ),
});

export const rolloutAnswer = z.object({
  id: resourceId,
  waves: z.array(rolloutWave),
  wave: z.int().describe("Index of the wave that is being watched."),
  waveSinceMs: moment,
  state: z.enum(["running", "paused", "halted"]),
  reason: z.string().describe("Why it halted."),
  startedMs: moment,
  startedBy: z.string(),
});
export type RolloutAnswer = z.output<typeof rolloutAnswer>;

export const policyAnswer = z.object({
  ...tenantResource.shape,
  name: z.string(),
  document,
  managedBy: z.enum(["agent", "server"]),
  groupIds: z.array(resourceId).readonly(),
  agentIds: z.array(resourceId).readonly(),
  policyVersion: z.int().describe("Rises with each change of what machines get."),
  rollout: rolloutAnswer
    .nullable()
    .describe("Null: every machine has this version or gets it next."),
});
export type PolicyAnswer = z.output<typeof policyAnswer>;

export const selectionBody = z.strictObject({
  ...ownerTenant.shape,
  groupIds: settings.groupIds,
  agentIds: settings.agentIds,
});

export const selectionAnswer = z.object({
  count: z.int().describe("Machines, each counted once."),
  examples: z.array(z.object({ id: resourceId, name: z.string() })).describe("The first few."),
});
export type SelectionAnswer = z.output<typeof selectionAnswer>;

/** What became of the machines that a rollout has reached. */
export const rolloutObservation = z.object({
  members: z.int().describe("Machines reached."),
  ran: z.int().describe("That have ended a run with the new version."),
  applyFailures: z.int().describe("That refused what they were given."),
  newRunFailures: z.int().describe("Whose last run failed, and succeeded before."),
  silent: z.int(),
  others: z.int().describe("Machines not reached yet."),
  othersSilent: z.int(),
  comparedBytes: z.int().describe("Machines whose selected bytes can be compared with before."),
});
export type RolloutObservationAnswer = z.output<typeof rolloutObservation>;
