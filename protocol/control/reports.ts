/** What an agent tells its server: how it is now, and, at least once each, what has happened. */
import { z } from "zod";
import { fingerprint, machineFacts } from "./enrolment.ts";

const text = z.string().max(4000);
const moment = z.number();

/** The effect of the newest bundle. */
export const bundleStatus = z.object({
  serial: z.number().optional(),
  state: z.enum(["none", "applied", "refused"]),
  /** Why a newer one was refused: code of the error catalogue and words. */
  code: z.string().max(100).optional(),
  text: text.optional(),
});

export const policyState = z.object({
  policy: z.string().max(200),
  policyVersion: z.number().optional(),
  origin: z.enum(["server", "local"]),
  /** False: no backups are expected of it. */
  enabled: z.boolean().optional(),
  /** Newest good backup. */
  lastGoodMs: moment.optional(),
  lastOutcome: z.string().max(20).optional(),
  lastEndedMs: moment.optional(),
  nextMs: moment.optional(),
  maximumAgeMs: z.number(),
  /** `gateway`, `direct`: the route of the last session. */
  route: z.string().max(20).optional(),
  running: z
    .object({
      sessionId: z.string().max(64),
      filesDone: z.number(),
      bytesDone: z.number(),
      filesTotal: z.number().optional(),
      bytesTotal: z.number().optional(),
      remainingMs: z.number().optional(),
    })
    .optional(),
  /** The policy in force here with where each value comes from, secrets left out; only if `wantsEffective`. */
  effective: z.unknown().optional(),
});

export const healthItem = z.object({
  code: z.string().max(100),
  subject: z.string().max(200),
  severity: z.string().max(20),
  sinceMs: moment,
  text,
});

export const agentStatus = z.object({
  version: z.literal(1),
  /** Of the agent's clock, with the server's difference taken into account. */
  timeMs: moment,
  bundle: bundleStatus,
  health: z.enum(["ok", "warning", "error", "critical"]),
  conditions: z.array(healthItem).max(200),
  policies: z.array(policyState).max(200),
  /** Where backups go by now; a session counts by what it began with. All of the bundle in force; absent: it does not tell. */
  destinations: z
    .array(
      z.object({
        repositoryId: z.string().max(64),
        epoch: z.int().min(1),
        /** Number of the stand (protocol/control/repository-stand.ts) that new sessions there obey. */
        standNumber: z.int().optional(),
        /** Sessions run there. */
        isBusy: z.boolean().optional(),
      }),
    )
    .max(1000)
    .optional(),
  pausedUntilMs: moment.optional(),
  clockOffsetMs: z.number(),
  facts: machineFacts,
  fingerprint,
});
export type AgentStatus = z.output<typeof agentStatus>;

/** One thing that happened. `id` is made once and stays the same however often it is sent. */
export const report = z.discriminatedUnion("kind", [
  z.object({
    id: z.string().max(100),
    kind: z.literal("session"),
    timeMs: moment,
    /** A SessionRecord (protocol/session-record.ts), finished, and the first of what it complained about. */
    session: z.record(z.string(), z.unknown()),
    issues: z.array(z.record(z.string(), z.unknown())).max(100),
    bundleSerial: z.number().optional(),
    route: z.string().max(20).optional(),
  }),
  z.object({
    id: z.string().max(100),
    kind: z.literal("event"),
    timeMs: moment,
    code: z.string().max(100),
    severity: z.enum(["info", "warning", "error"]),
    text,
    subject: z.string().max(200).default(""),
  }),
]);
export type Report = z.output<typeof report>;

/** Ids that are durable now, new or known before, and those that can never be taken (the agent drops them, and says so). */
export const reportReceipt = z.object({
  accepted: z.array(z.string()),
  rejected: z.array(z.object({ id: z.string(), reason: z.string() })).default([]),
});
export type ReportReceipt = z.output<typeof reportReceipt>;

/** A recovery password, sealed on the machine to the tenant's recovery key: the server cannot read it. */
export const escrowDeposit = z.object({
  repositoryId: z.string().max(64),
  recoveryKeyId: z.string().max(100),
  /** Name of the key file in the repository that it opens. */
  keyName: z.string().max(64),
  /** Compact JWE. */
  sealed: z.string().max(4000),
});
export type EscrowDeposit = z.output<typeof escrowDeposit>;
