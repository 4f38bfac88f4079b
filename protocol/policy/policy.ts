/**
 * A policy: what of a machine is backed up, where to, when, how long it is kept. Version 1 of the document, as
 * people write it (YAML or JSON) and as the server sends it.
 */
import { z } from "zod";
import { duration, policyName, secretReference, size } from "./scalars.ts";
import { scheduleRules } from "./schedule-rules.ts";

export const policyVersion = 1;

export const personalFolders = [
  "desktop",
  "documents",
  "downloads",
  "music",
  "pictures",
  "videos",
  "favorites",
  "application-data",
] as const;

const absent = z.enum(["warning", "error"]);

const source = z.strictObject({
  mode: z.enum(["files", "volumes", "entire-computer"]).default("files"),
  /** Absolute paths; `${user.home}` makes one path for each real user, `${env.NAME}` is the service's variable. */
  paths: z.array(z.string().min(1)).default([]),
  personalFiles: z
    .strictObject({
      folders: z
        .array(z.enum(personalFolders))
        .min(1)
        .default([...personalFolders.slice(0, 6)]),
      /** Everything else in the users' homes too, without the folders that are not named. */
      otherFiles: z.boolean().default(false),
    })
    .optional(),
  /** Masks: of the selected folders only what matches one is backed up. */
  includeMasks: z.array(z.string().min(1)).default([]),
  /** Gitignore-style patterns of what is left out; they win over masks. */
  exclude: z.array(z.string().min(1)).default([]),
  excludeIgnoringCase: z.array(z.string().min(1)).default([]),
  excludeCaches: z.boolean().default(false),
  excludeIfPresent: z.array(z.string().min(1)).default([]),
  excludeLargerThan: size.optional(),
  oneFileSystem: z.boolean().default(false),
  missingPath: absent.default("warning"),
  /** Volumes by device, mount point or label; with mode `volumes`. */
  volumes: z.array(z.string().min(1)).default([]),
  excludeVolumes: z.array(z.string().min(1)).default([]),
  includeExternalDrives: z.boolean().default(false),
});

const destination = z.strictObject({
  /** As `--repo` takes it: a folder, or `s3:…`, `azure:…`, `gs:…`, `rest:…`. */
  repository: z.string().min(1),
  /** Ways to the repository, in the order in which they are tried. */
  routes: z
    .array(z.enum(["direct", "gateway"]))
    .min(1)
    .default(["direct"]),
  /** Account for the storage, if it needs one. */
  credentials: secretReference.optional(),
  /** Make the repository at the first run if there is none. */
  create: z.boolean().default(true),
  /** Id of the file system that a removable drive must have. */
  fileSystemId: z.string().min(1).optional(),
});

const gfs = z.strictObject({
  weekly: z.int().min(0).optional(),
  monthly: z.int().min(0).optional(),
  yearly: z.int().min(0).optional(),
});

const retention = z.strictObject({
  keepLast: z.int().min(1).optional(),
  keepDays: z.int().min(1).optional(),
  keepWithin: duration.optional(),
  gfs: gfs.optional(),
});

const script = z.strictObject({
  /** Absolute path of a program and its arguments; no shell. */
  command: z.array(z.string().min(1)).min(1),
  timeout: duration.prefault("10m"),
  /** A required script that fails makes the session fail; the result of others is a warning. */
  required: z.boolean().default(true),
});

const limits = z.strictObject({
  battery: z
    .strictObject({
      /** On battery below this no scheduled run starts, 0 to 100 per cent. */
      minimumPercent: z.int().min(0).max(100).default(20),
      onlyOnMains: z.boolean().default(false),
    })
    .prefault({}),
  network: z
    .strictObject({
      metered: z.enum(["allow", "deny"]).default("deny"),
      vpn: z.enum(["allow", "deny"]).default("allow"),
      /** Names of the wireless networks that may be used; any if absent. */
      wifi: z.array(z.string().min(1)).min(1).optional(),
    })
    .prefault({}),
  /** Bytes a second, written as a size. */
  uploadPerSecond: size.optional(),
  downloadPerSecond: size.optional(),
  /** Of the engine. */
  memory: size.optional(),
  duration: duration.prefault("21d"),
});

const outcomes = z.array(z.enum(["success", "warning", "failure"]));

const notifications = z.strictObject({
  mail: z
    .strictObject({
      server: z.string().min(1),
      from: z.string().min(1),
      to: z.array(z.string().min(1)).min(1),
      user: z.string().min(1).optional(),
      password: secretReference.optional(),
      on: outcomes.default(["failure", "warning"]),
    })
    .optional(),
  webhook: z
    .strictObject({
      url: z.url(),
      key: secretReference.optional(),
      on: outcomes.default(["failure", "warning"]),
    })
    .optional(),
  /** An address that expects a call at each start and end, as healthchecks.io and its kin. */
  ping: z.strictObject({ url: z.url() }).optional(),
  desktop: z.boolean().default(false),
  /** Messages of the same kind within this time are sent as one. */
  digest: duration.optional(),
});

export const policy = z.strictObject({
  version: z.literal(policyVersion),
  name: policyName,
  description: z.string().max(1000).optional(),
  kind: z.enum(["workstation", "server"]).default("workstation"),
  enabled: z.boolean().default(true),
  source,
  destination,
  encryption: z.strictObject({ password: secretReference }),
  compression: z.enum(["off", "fastest", "auto", "better", "max"]).default("auto"),
  retention: retention.prefault({}),
  backupCache: z
    .strictObject({
      enabled: z.boolean().default(false),
      path: z.string().min(1).optional(),
      size: size.optional(),
    })
    .prefault({}),
  scripts: z
    .strictObject({
      preJob: script.optional(),
      postJob: script.optional(),
      preFreeze: script.optional(),
      postThaw: script.optional(),
    })
    .prefault({}),
  schedule: scheduleRules.prefault({}),
  limits: limits.prefault({}),
  notifications: notifications.prefault({}),
  /** The last good backup should never be older: status and health are measured by it. */
  objective: z.strictObject({ maximumAge: duration.prefault("26h") }).prefault({}),
  /** Policies that wait together start in this order, higher first. */
  priority: z.int().min(-100).max(100).default(0),
  tags: z.array(z.string().regex(/^[^,]+$/)).default([]),
});

/** A checked policy with every default in place. */
export type Policy = z.output<typeof policy>;
/** A policy as it is written. */
export type PolicyDocument = z.input<typeof policy>;
