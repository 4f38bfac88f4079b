/**
 * A policy: what of a machine is backed up, where to, when, how long it is kept. Version 1 of the document, as
 * people write it (YAML or JSON) and as the server sends it.
 */
import { z } from "zod";
import { destination } from "./policy-destination.ts";
import { source } from "./policy-source.ts";
import { duration, policyName, secretReference, size, weekdays } from "./scalars.ts";
import { scheduleRules } from "./schedule-rules.ts";

export const policyVersion = 1;

const retention = z.strictObject({
  keepDays: z
    .int()
    .min(0)
    .max(36_500)
    .default(7)
    .describe("Restore points of so many days are kept; 0: only minRestorePoints counts."),
  countOnlyBackupDays: z
    .boolean()
    .optional()
    .describe(
      "Days without a backup do not count, so that a machine that was off loses nothing. Default by kind: workstation true, server false.",
    ),
  minRestorePoints: z
    .int()
    .min(1)
    .max(100_000)
    .default(3)
    .describe("The newest restore points, so many of them, are kept whatever their age."),
  gfs: z
    .strictObject({
      weekly: z
        .strictObject({ keep: z.int().min(1), day: z.enum(weekdays).default("sunday") })
        .optional(),
      monthly: z
        .strictObject({
          keep: z.int().min(1),
          week: z.enum(["first", "second", "third", "fourth", "last"]).default("first"),
        })
        .optional(),
      yearly: z
        .strictObject({ keep: z.int().min(1), month: z.int().min(1).max(12).default(1) })
        .optional(),
    })
    .optional()
    .describe("Restore points that are kept longer: so many weeks, months, years."),
});

const script = z.strictObject({
  command: z
    .array(z.string().min(1))
    .min(1)
    .refine(([program]) => /^(?:\/|[a-z]:[\\/]|\\\\)/i.test(program), {
      error: "must begin with the absolute path of a program",
    })
    .describe("Absolute path of a program, and its arguments; no shell."),
  timeout: duration.prefault("10m"),
  required: z
    .boolean()
    .default(true)
    .describe("A required script that fails makes the session fail; of others it is a warning."),
});

const rate = size
  .refine((bytes) => bytes >= 1024, "must be at least 1 KiB")
  .describe("Each second, written as a size.")
  .optional();

const limits = z.strictObject({
  battery: z
    .strictObject({
      minimumPercent: z
        .int()
        .min(0)
        .max(100)
        .default(20)
        .describe("On battery below this, in per cent, no scheduled run starts."),
      onlyOnMains: z.boolean().default(false),
    })
    .prefault({}),
  network: z
    .strictObject({
      metered: z.enum(["allow", "deny"]).default("deny"),
      vpn: z.enum(["allow", "deny"]).default("allow"),
      wifi: z
        .array(z.string().min(1))
        .min(1)
        .optional()
        .describe("Names of the wireless networks that may be used; any if absent."),
    })
    .prefault({}),
  uploadPerSecond: rate,
  downloadPerSecond: rate,
  memory: size
    .refine((bytes) => bytes >= 2 ** 27, "must be at least 128 MiB")
    .optional()
    .describe("Most memory that a run may take."),
  duration: duration.prefault("21d").describe("A run that takes longer is ended."),
});

const outcomes = z.array(z.enum(["success", "warning", "failure"])).default(["failure", "warning"]);
const webAddress = z.url({ protocol: /^https?$/, error: "must be an http or https address" });

export const notifications = z.strictObject({
  mail: z
    .strictObject({
      server: z.string().min(1).describe("Host, or host:port."),
      from: z.string().min(1),
      to: z.array(z.string().min(1)).min(1),
      user: z.string().min(1).optional(),
      password: secretReference.optional(),
      on: outcomes,
    })
    .optional(),
  webhook: z
    .strictObject({
      url: webAddress,
      key: secretReference.optional().describe("Signs each call."),
      on: outcomes,
    })
    .optional(),
  ping: z
    .strictObject({ url: webAddress })
    .optional()
    .describe("An address that is called at each start and end, as healthchecks.io expects it."),
  desktop: z.boolean().default(false),
  digest: duration
    .optional()
    .describe("Messages of the same kind within this time are sent as one."),
});

const backupCache = z.strictObject({
  enabled: z.boolean().default(false),
  path: z.string().min(1).optional().describe("Default: chosen by free space, once."),
  size: size.optional(),
});

const scripts = z.strictObject({
  preJob: script.optional(),
  postJob: script.optional(),
  preFreeze: script.optional(),
  postThaw: script.optional(),
});

export const policy = z
  .strictObject({
    version: z.literal(policyVersion),
    name: policyName,
    description: z.string().max(1000).optional(),
    kind: z.enum(["workstation", "server"]).default("workstation"),
    enabled: z.boolean().default(true),
    source,
    destination,
    encryption: z.strictObject({
      password: secretReference.describe("The password of the repository."),
    }),
    compression: z.enum(["off", "fastest", "auto", "better", "max"]).default("auto"),
    retention: retention.optional().describe("Absent: every restore point is kept."),
    backupCache: backupCache.prefault({}),
    scripts: scripts.prefault({}),
    schedule: scheduleRules.prefault({}),
    limits: limits.prefault({}),
    notifications: notifications.prefault({}),
    objective: z
      .strictObject({
        maximumAge: duration
          .prefault("26h")
          .describe("The last good backup should not be older: health is measured by it."),
      })
      .prefault({}),
    priority: z
      .int()
      .min(-100)
      .max(100)
      .default(0)
      .describe("Policies that wait together start in this order, higher first."),
    tags: z
      .array(z.string().regex(/^[^,]+$/, "must not be empty or hold a comma"))
      .default([])
      .describe("Tags of the snapshots."),
  })
  .meta({
    title: "Backstay policy",
    description: "What of a machine is backed up, where to, when, how long it is kept.",
  });

/** A checked policy with every default in place, but those that depend on its kind. */
export type Policy = z.output<typeof policy>;
export type Notifications = z.output<typeof notifications>;
/** A policy as it is written. */
export type PolicyDocument = z.input<typeof policy>;
