/** What a server asks of one machine, and what becomes of it. */
import { z } from "zod";
import { signedDocument } from "./bundle.ts";

const policyArgument = z.object({ policy: z.string() });

export const commandOrder = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("run"), policy: z.string(), cause: z.enum(["manual", "schedule"]) }),
  /** Ends one command that the machine has taken; or running and queued sessions of a policy; or all. */
  z.object({
    kind: z.literal("stop"),
    policy: z.string().optional(),
    command: z.string().max(100).optional(),
  }),
  z.object({
    kind: z.literal("restore"),
    ...policyArgument.shape,
    /** Id of a snapshot, or `latest`. */
    snapshot: z.string(),
    /** Paths in the snapshot; empty: all. */
    paths: z.array(z.string()),
    /** A folder of the machine; absolute. */
    target: z.string(),
    overwrite: z.enum(["always", "if-changed", "if-newer", "never"]).default("never"),
    /** Name of a repository that holds older backups of the policy; absent: that of now. */
    from: z.string().max(100).optional(),
  }),
  z.object({
    kind: z.literal("check"),
    ...policyArgument.shape,
    /** `structure`, or also a part of the data as --read-data-subset takes it (`5%`), or `all`. */
    data: z.string().default("structure"),
    from: z.string().max(100).optional(),
  }),
  z.object({ kind: z.literal("sync") }),
  z.object({ kind: z.literal("collect-logs") }),
  z.object({ kind: z.literal("clear-cache") }),
  /** The machine leaves the fleet: policies stop, its backups stay. */
  z.object({ kind: z.literal("leave") }),
]);
export type CommandOrder = z.output<typeof commandOrder>;
export type CommandKind = CommandOrder["kind"];

/** Payload of a signed command. */
export const commandDocument = z.object({
  type: z.literal("command"),
  id: z.string().max(100),
  tenantId: z.string(),
  agentId: z.string(),
  order: commandOrder,
  issuedMs: z.number(),
  /** Not begun by then, it is dropped. */
  expiresMs: z.number(),
});
export type CommandDocument = z.output<typeof commandDocument>;

export const commandList = z.object({
  commands: z.array(signedDocument),
  /**
   * Ids of those among them that the agent has said it took. One that it has no memory of (its state was lost or set
   * back) it does not begin, for it may have done so before: it answers `failed`.
   */
  taken: z.array(z.string().max(100)).default([]),
});
export type CommandList = z.output<typeof commandList>;

/**
 * `queued` is the server's own; `canceled` too, if it was before delivery. The last five are final. What the server
 * gave up or canceled by itself is corrected by what the agent tells later: it happened.
 */
export const commandStates = [
  "queued",
  "accepted",
  "running",
  "succeeded",
  "failed",
  "rejected",
  "expired",
  "canceled",
] as const;
export type CommandState = (typeof commandStates)[number];
export const isFinalCommandState = (state: CommandState): boolean =>
  commandStates.indexOf(state) >= commandStates.indexOf("succeeded");

export const commandProgress = z.object({
  state: z.enum(["accepted", "running", "succeeded", "failed", "rejected", "expired", "canceled"]),
  timeMs: z.number(),
  /** For people. */
  text: z.string().max(2000).default(""),
  /** Of the session that it started. */
  sessionId: z.string().max(64).optional(),
  /** Code of the error catalogue. */
  errorCode: z.string().max(100).optional(),
});
export type CommandProgress = z.output<typeof commandProgress>;

export const wakeAnswer = z.object({
  /** For the next request. */
  cursor: z.string(),
  /** There is another bundle. */
  bundle: z.boolean(),
  commands: z.number(),
});
export type WakeAnswer = z.output<typeof wakeAnswer>;
