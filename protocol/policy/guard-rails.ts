/** What the owner of a machine allows any policy to do there, wherever the policy comes from. */
import { z } from "zod";
import { size } from "./scalars.ts";

export const guardRails = z.strictObject({
  destinations: z
    .array(z.string().min(1))
    .optional()
    .describe("Repositories must be one of these, or lie below one; any if absent."),
  sources: z
    .array(z.string().min(1))
    .optional()
    .describe("Paths must be one of these, or lie below one; any if absent."),
  scripts: z
    .array(z.string().min(1))
    .optional()
    .describe("Programs that scripts may start, by absolute path; any if absent, none if empty."),
  uploadPerSecond: size.optional().describe("Most that any policy may send each second."),
  downloadPerSecond: size.optional(),
  memory: size.optional().describe("Most memory that any run may take."),
});

/** The agent's own configuration file. */
export const agentConfiguration = z.strictObject({ guardRails: guardRails.prefault({}) });

export type GuardRails = z.output<typeof guardRails>;
export type AgentConfiguration = z.output<typeof agentConfiguration>;
