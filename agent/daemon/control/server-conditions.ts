/** What is to be known about the server and this machine's place in its fleet, as conditions. None of them stops anything. */

import { isBackstayError } from "../../../protocol/backstay-error.ts";
import { refusalOf } from "../../../protocol/control/agent-problem.ts";
import { entitlementStand } from "../../../protocol/control/entitlement-stand.ts";
import type { ConditionCode } from "../../../protocol/health-catalog.ts";
import type { BundleInForce } from "../../control/bundle-in-force.ts";
import type { ServerContact } from "../../control/control-loop.ts";
import type { HealthBoard } from "../health/health-board.ts";

/** All that a machine without a server does not have. */
const codes = [
  "SERVER_UNREACHABLE",
  "SERVER_LOST",
  "SERVER_UNTRUSTED",
  "SERVER_REFUSES",
  "IDENTITY_CONFLICT",
  "CLOCK_SKEWED",
  "BUNDLE_REFUSED",
  "BUNDLE_STALE",
  "LICENCE_ENDING",
  "LICENCE_GRACE",
  "LICENCE_LAPSED",
] as const satisfies readonly ConditionCode[];

const licenceCodes = {
  valid: undefined,
  "renew-due": "LICENCE_ENDING",
  grace: "LICENCE_GRACE",
  lapsed: "LICENCE_LAPSED",
} as const;

/** After a poll, good or bad. */
export function contactConditions(board: HealthBoard, { failures, problem }: ServerContact): void {
  const text = problem instanceof Error ? problem.message : String(problem);
  const facts = { problem: text };
  const refusal = refusalOf(problem);
  const isUntrusted = isBackstayError(problem, "LINK_UNTRUSTED");
  const isUnreachable = failures > 0 && refusal === undefined && !isUntrusted;
  const isRefused = failures > 0 && refusal !== undefined && !passing.has(refusal);
  board.set("SERVER_UNREACHABLE", "", isUnreachable ? facts : undefined);
  board.set("SERVER_LOST", "", failures > 0 ? facts : undefined);
  board.set("SERVER_UNTRUSTED", "", failures > 0 && isUntrusted ? facts : undefined);
  board.set("SERVER_REFUSES", "", isRefused ? facts : undefined);
}

/** Refusals that have a condition of their own, or that pass by themselves. */
const passing: ReadonlySet<string> = new Set(["identity-conflict", "rate-limited", "overloaded"]);

export interface BundleFacts {
  readonly bundle: BundleInForce | undefined;
  readonly refusal: Error | undefined;
  /** Server's time, ms since 1970. */
  readonly trustedMs: number;
  /** Server's clock minus this machine's, ms. */
  readonly clockOffsetMs: number;
}

/** To be called now and then: time alone changes some of it. */
export function bundleConditions(board: HealthBoard, facts: BundleFacts): void {
  const { bundle, refusal, trustedMs, clockOffsetMs } = facts;
  board.set("BUNDLE_REFUSED", "", refusal && { problem: refusal.message });
  const isStale = bundle !== undefined && trustedMs > bundle.refreshByMs;
  const issued = new Date(bundle?.issuedMs ?? 0).toISOString().slice(0, 10);
  board.set("BUNDLE_STALE", "", isStale ? { problem: `they are of ${issued}` } : undefined);
  const stand = licenceCodes[entitlementStand(bundle?.entitlement, trustedMs)];
  for (const code of ["LICENCE_ENDING", "LICENCE_GRACE", "LICENCE_LAPSED"] as const)
    board.set(code, "", code === stand ? {} : undefined);
  const minutes = Math.round(Math.abs(clockOffsetMs) / 60_000);
  const way = clockOffsetMs > 0 ? "behind" : "ahead of";
  const skew = { problem: `this machine's is ${minutes} minutes ${way} the server's` };
  board.set("CLOCK_SKEWED", "", clockOffsetMs === 0 ? undefined : skew);
}

/** This machine has no server any more. */
export function clearServerConditions(board: HealthBoard): void {
  for (const code of codes) board.settle(code, new Map());
}
