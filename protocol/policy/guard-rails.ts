/** What the owner of a machine allows any policy to do there, wherever the policy comes from. */
import { z } from "zod";
import { notifications } from "./policy.ts";
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
  restoreTargets: z
    .array(z.string().min(1))
    .optional()
    .describe("Folders that the daemon may restore into, or below which; any if absent."),
  remoteRestore: z
    .enum(["off", "new-folder", "anywhere"])
    .optional()
    .describe(
      "Restores that the server asks for: none, only into a folder that is new or empty (so if absent), or as it likes.",
    ),
});

const loopbackAddress = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\]):\d{1,5}$/;

/** The agent's own configuration file. */
export const agentConfiguration = z.strictObject({
  guardRails: guardRails.prefault({}),
  log: z
    .strictObject({ level: z.enum(["debug", "info", "warning", "error"]).default("info") })
    .prefault({}),
  metrics: z
    .strictObject({
      address: z
        .string()
        .regex(loopbackAddress, "must be a port of this machine itself, such as 127.0.0.1:9750")
        .optional()
        .describe("Where metrics are served for Prometheus; nowhere if absent."),
    })
    .prefault({}),
  notifications: notifications
    .prefault({})
    .describe(
      "Ways of telling people for policies that name none of that kind, and for what is wrong with the agent itself.",
    ),
});

export type GuardRails = z.output<typeof guardRails>;
export type AgentConfiguration = z.output<typeof agentConfiguration>;
