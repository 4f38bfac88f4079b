/** How a licence stands at a moment: a ladder with long steps, of which none stops a backup or a restore. */

/**
 * `valid`; `renew-due` 30 days before the end; `grace` after it, with everything as before; `lapsed` after that: no new
 * machines are admitted.
 */
export type EntitlementStand = "valid" | "renew-due" | "grace" | "lapsed";

/** What says how long something is allowed; of an entitlement or a licence. */
export interface EntitledTime {
  /** Absent: without end. Ms since 1970. */
  readonly validUntilMs?: number | undefined;
  readonly graceDays: number;
}

const dayMs = 86_400_000;
const renewalDays = 30;

/** Judged by a clock that is known to be right (`nowMs`, ms since 1970). What has no end, or is not there, is valid. */
export function entitlementStand(
  entitled: EntitledTime | undefined,
  nowMs: number,
): EntitlementStand {
  const untilMs = entitled?.validUntilMs;
  if (entitled === undefined || untilMs === undefined) return "valid";
  if (nowMs < untilMs - renewalDays * dayMs) return "valid";
  if (nowMs < untilMs) return "renew-due";
  return nowMs < untilMs + entitled.graceDays * dayMs ? "grace" : "lapsed";
}
