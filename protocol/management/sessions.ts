/** What machines have reported, and how the whole fleet is, in the management API. */
import { z } from "zod";
import { moment, resourceId } from "./resource.ts";

/** `session` and `event` alike: an event's severity is its outcome, what it is about its policy. */
export const reportedAnswer = z.object({
  id: z.string(),
  tenantId: resourceId,
  agentId: resourceId,
  timeMs: z.number(),
  receivedMs: moment,
  policy: z.string(),
  outcome: z.string(),
  report: z.record(z.string(), z.unknown()).describe("As it came from the machine."),
});
export type ReportedAnswer = z.output<typeof reportedAnswer>;

/**
 * In the order in which they are considered. `waiting`: enrolled and never heard of. `overdue`: a policy has no good
 * backup that is new enough. `silent`: not heard of for long. `unprotected`: no policy backs it up. `failing`: the last
 * backup of a policy failed. `error`, `warning`: what the machine says of itself.
 */
export const machineStates = [
  "revoked",
  "suspended",
  "waiting",
  "overdue",
  "silent",
  "unprotected",
  "failing",
  "error",
  "warning",
  "ok",
] as const;
export type MachineState = (typeof machineStates)[number];

export const overviewAnswer = z.object({
  machines: z.int(),
  byState: z.record(z.enum(machineStates), z.int()),
  policies: z.object({ total: z.int(), overdue: z.int() }),
  sessionsOfDay: z.record(z.string(), z.int()).describe("Ended within 24 hours, by outcome."),
  requestsPending: z.int().describe("Machines that wait to be let in."),
  conflictsOpen: z.int().describe("Identities that two machines use."),
});
export type OverviewAnswer = z.output<typeof overviewAnswer>;

export const protectionAnswer = z.object({
  items: z.array(
    z.object({
      policy: z.string(),
      lastGoodMs: z.number().nullable(),
      lastOutcome: z.string().nullable(),
      lastEndedMs: z.number().nullable(),
      maximumAgeMs: z.number(),
      overdueSinceMs: z.number().nullable(),
      bytesSelected: z.number().nullable(),
      policyVersion: z.number().nullable(),
    }),
  ),
  nextCursor: z.null(),
});
