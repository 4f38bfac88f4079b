/**
 * How a changed policy reaches its machines: in waves, each watched for a while before the next, and halted when machines
 * fare worse than before. Pure.
 */
import { createHash } from "node:crypto";
import { z } from "zod";

export const rolloutWave = z.strictObject({
  /** Of the machines, all waves up to this one taken together. */
  percent: z.number().gt(0).max(100),
  /** How long this wave is watched before the next one, ms. */
  soakMs: z.int().min(0),
});
export type RolloutWave = z.output<typeof rolloutWave>;

const dayMs = 86_400_000;
/** A day each: every machine should have run once with the change. */
export const defaultWaves: readonly RolloutWave[] = [
  { percent: 1, soakMs: dayMs },
  { percent: 10, soakMs: dayMs },
  { percent: 50, soakMs: dayMs },
  { percent: 100, soakMs: 0 },
];
/** Fleets of fewer machines get a change at once, unless somebody asks for waves. */
export const smallFleet = 20;

/** Where a rollout stands; kept with its policy until it has ended. */
export const rolloutStand = z.object({
  id: z.string(),
  waves: z.array(rolloutWave).min(1),
  /** Index of the wave that is being watched. */
  wave: z.int().min(0),
  waveSinceMs: z.number(),
  /** `paused` by people, `halted` by a gate: both go no further until somebody resumes. */
  state: z.enum(["running", "paused", "halted"]),
  /** Why it halted. */
  reason: z.string().default(""),
  startedMs: z.number(),
  startedBy: z.string(),
});
export type RolloutStand = z.output<typeof rolloutStand>;

/** What became of the machines that a rollout has reached, and of the others meanwhile. */
export interface RolloutObservation {
  /** Machines reached. */
  readonly members: number;
  /** Of them: that have ended a run with the new version. */
  readonly ran: number;
  /** That refused what they were given. */
  readonly applyFailures: number;
  /** Whose last run failed with the new version, and succeeded before. */
  readonly newRunFailures: number;
  /** That were there when they were reached and have not been heard of for a while. */
  readonly silent: number;
  /** Machines not reached yet that were there then, and those of them that are silent now. */
  readonly others: number;
  readonly othersSilent: number;
  /** Bytes selected with the new version divided by those before, of each machine that tells both. */
  readonly selectedRatios: readonly number[];
}

export type RolloutStep =
  | { readonly kind: "wait" }
  | { readonly kind: "advance"; readonly wave: number }
  | { readonly kind: "finish" }
  | { readonly kind: "halt"; readonly reason: string };

const applyFailuresMax = 0.01;
const newRunFailuresMax = 0.02;
const silentMoreMax = 0.05;
const silentLeast = 3;
const selectedLeast = 0.7;

/** What to do next with a rollout that is running. */
export function nextRolloutStep(
  stand: RolloutStand,
  seen: RolloutObservation,
  nowMs: number,
): RolloutStep {
  const reason = haltReason(seen);
  if (reason !== undefined) return { kind: "halt", reason };
  const wave = stand.waves[stand.wave];
  const isLast = stand.wave === stand.waves.length - 1;
  // Nobody was reached: there is nothing to watch.
  const isWatched = seen.members > 0;
  const hasSoaked = nowMs >= stand.waveSinceMs + wave.soakMs;
  const hasRun = seen.ran > 0 || wave.soakMs === 0;
  if (isWatched && !(hasSoaked && hasRun)) return { kind: "wait" };
  return isLast ? { kind: "finish" } : { kind: "advance", wave: stand.wave + 1 };
}

/** Which gate is shut, in words; undefined if none is. */
export function haltReason(seen: RolloutObservation): string | undefined {
  const { members, ran, applyFailures, newRunFailures, silent, others, othersSilent } = seen;
  if (applyFailures > members * applyFailuresMax)
    return `${applyFailures} of ${members} machines refused the change`;
  if (newRunFailures > ran * newRunFailuresMax)
    return `backups of ${newRunFailures} of ${ran} machines fail that succeeded before`;
  const silentUsually = others === 0 ? 0 : othersSilent / others;
  if (others > 0 && silent >= silentLeast && silent / members > silentUsually + silentMoreMax)
    return `${silent} of ${members} machines went silent, of the others ${othersSilent} of ${others}`;
  const middle = median(seen.selectedRatios);
  if (middle !== undefined && middle < selectedLeast)
    return `machines select ${Math.round(middle * 100)} % of the bytes they selected before (median)`;
  return undefined;
}

/** True if the wave that is being watched, or one before it, holds the machine. The same machine is always as early. */
export function isReached(stand: RolloutStand, agentId: string): boolean {
  return bucketOf(stand.id, agentId) < stand.waves[stand.wave].percent * 100;
}

/** 0 to 9999, evenly spread and different in each rollout. */
function bucketOf(rolloutId: string, agentId: string): number {
  const digest = createHash("sha256").update(`${rolloutId}\n${agentId}`).digest();
  return digest.readUInt32BE(0) % 10_000;
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle];
  return sorted.length === 0 ? undefined : (sorted[middle - 1] + sorted[middle]) / 2;
}
