/** Commands to machines in the management API. */
import { z } from "zod";
import { commandOrder, commandStates } from "../control/command.ts";
import { moment, resourceId } from "./resource.ts";

export const newCommandBody = z
  .strictObject({
    agentId: resourceId.optional(),
    groupId: resourceId.optional(),
    order: commandOrder,
    lifetimeMs: z
      .int()
      .min(1000)
      .max(7_776_000_000)
      .optional()
      .describe("So long it may be begun; absent: by the kind of command."),
    dryRun: z.boolean().default(false).describe("Only tells how many machines it would reach."),
  })
  .refine(({ agentId, groupId }) => (agentId === undefined) !== (groupId === undefined), {
    error: "must name either agentId or groupId",
  });

export const commandAnswer = z.object({
  id: resourceId,
  tenantId: resourceId,
  agentId: resourceId,
  order: commandOrder,
  state: z.enum(commandStates),
  text: z.string().describe("The newest word on it, for people."),
  saidMs: z.number().nullable(),
  sessionId: z.string().nullable(),
  errorCode: z.string().nullable(),
  createdBy: z.string(),
  createdMs: moment,
  expiresMs: moment.describe("Not begun by then, it is dropped."),
  updatedMs: moment,
  upload: z
    .object({ sizeBytes: z.number(), hash: z.string(), createdMs: moment })
    .nullable()
    .describe("What it brought back: GET …/upload."),
});
export type CommandAnswer = z.output<typeof commandAnswer>;

export const newCommandsAnswer = z.object({
  count: z.int().describe("Machines that it reaches, or would reach."),
  commands: z.array(commandAnswer).describe("The first thousand."),
  skipped: z
    .array(z.object({ agentId: resourceId, reason: z.string() }))
    .describe("Machines that take none now."),
});
export type NewCommandsAnswer = z.output<typeof newCommandsAnswer>;
