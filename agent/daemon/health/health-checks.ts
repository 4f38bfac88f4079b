/** Looks at the facts that conditions come from. Everything that has no event of its own is looked at once a minute. */
import { statfsSync } from "node:fs";
import type { Probe } from "../../../platform/ports/system-events.ts";
import { type ConditionCode, isConditionCode } from "../../../protocol/health-catalog.ts";
import type { HealthCondition } from "../../../protocol/health-condition.ts";
import type { Notifications, Policy } from "../../../protocol/policy/policy.ts";
import type { EventKind } from "../../../protocol/policy/schedule-rules.ts";
import { elapsedMs, type Moment } from "../../../protocol/schedule/moment.ts";
import { clockMinMs } from "../../../protocol/schedule/plan-runs.ts";
import { durationInWords } from "../../../protocol/schedule/schedule-words.ts";
import { type PolicyBook, problemText } from "../policy-book.ts";
import type { PolicyHistory } from "../session-history.ts";
import type { HealthBoard } from "./health-board.ts";

type Facts = HealthCondition["facts"];

const policyCodes = [
  "POLICY_INVALID",
  "POLICY_NEWER",
  "POLICY_UNSUPPORTED",
  "POLICY_RESTRICTED",
  "POLICY_FOLDER",
] as const satisfies readonly ConditionCode[];
const memoryCodes = [
  "STATE_FULL",
  "STATE_READ_ONLY",
  "STATE_BROKEN",
  "STATE_BUSY",
] as const satisfies readonly ConditionCode[];
const setAsideCodes = ["STATE_DAMAGED", "STATE_NEWER"] as const satisfies readonly ConditionCode[];

const dayMs = 86_400_000;
const weekMs = 7 * dayMs;
const leastFreeBytes = 100 * 2 ** 20;
const clockToleranceMs = 60_000;

/** Which policies can't be used as they are written, and that there are none. */
export function checkPolicies(board: HealthBoard, policies: PolicyBook): void {
  for (const code of policyCodes) {
    const found = policies.problems.filter((problem) => problem.code === code);
    board.settle(
      code,
      new Map(found.map((problem) => [problem.file, { problem: problemText(problem) }])),
    );
  }
  board.settle("POLICY_HIDDEN", new Map(policies.hidden.map((name) => [name, {}])));
  board.set("NO_POLICIES", "", policies.inForce.size === 0 ? {} : undefined);
}

/** Conditions that the past of a policy shows: what the problem is, undefined if there is none. */
const conditionsOfPast: readonly (readonly [
  ConditionCode,
  (past: PolicyHistory) => string | undefined,
])[] = [
  [
    "TARGET_UNREACHABLE",
    ({ reachable, lastEnded }) =>
      reachable === false ? (lastEnded?.failure?.message ?? "out of reach") : undefined,
  ],
  ["LOCKS_SHORT", ({ lastGood }) => lastGood?.figures?.lockProblem],
];

/** Targets that the last session of a policy could not reach, and last restore points that were to be locked and are not. */
export function checkPast(
  board: HealthBoard,
  policies: Iterable<string>,
  historyOf: (policy: string) => PolicyHistory,
): void {
  const pasts = [...policies].map((policy) => [policy, historyOf(policy)] as const);
  for (const [code, problemOf] of conditionsOfPast) {
    const found = new Map<string, Facts>();
    for (const [policy, past] of pasts) {
      const problem = problemOf(past);
      if (problem !== undefined) found.set(policy, { problem });
    }
    board.settle(code, found);
  }
}

/** Secrets that policies name and nobody stored. */
export async function checkSecrets(
  board: HealthBoard,
  keeper: {
    readonly machineBound: boolean;
    readonly protection: string;
    names(): Promise<readonly string[]>;
  },
  needed: readonly string[],
): Promise<void> {
  const names = new Set(await keeper.names());
  const missing = needed.filter((name) => !names.has(name));
  board.settle("SECRET_MISSING", new Map(missing.map((name) => [name, {}])));
  const isPlain = !keeper.machineBound && names.size > 0;
  board.set("SECRETS_NOT_BOUND", "", isPlain ? { problem: keeper.protection } : undefined);
}

/** Events that policies wait for and this machine does not tell. */
export function checkEvents(
  board: HealthBoard,
  policies: Iterable<Policy>,
  probes: ReadonlyMap<string, Probe>,
  sourceOfEvent: Readonly<Record<EventKind, string | undefined>>,
): void {
  const found = new Map<string, Facts>();
  for (const { name, enabled, schedule } of policies)
    for (const event of enabled ? schedule.events : []) {
      const probe = probes.get(sourceOfEvent[event] ?? "");
      if (probe?.available === false) found.set(name, { problem: `${event}: ${probe.reason}` });
    }
  board.settle("EVENTS_UNAVAILABLE", found);
}

/** Where the state is kept, and whether its disk has room. `trouble` is the code of the last one. */
export function checkState(
  board: HealthBoard,
  state: { readonly keptIn: "disk" | "memory"; returnToDisk(): boolean },
  folder: string,
): void {
  if (state.keptIn === "disk" || state.returnToDisk())
    for (const code of memoryCodes) board.set(code, "", undefined);
  for (const code of setAsideCodes) board.expire(code, weekMs);
  let freeBytes = Number.POSITIVE_INFINITY;
  try {
    const { bavail, bsize } = statfsSync(folder);
    freeBytes = bavail * bsize;
  } catch {
    // It is not there: the state itself tells more.
  }
  const mebibytes = Math.floor(freeBytes / 2 ** 20);
  const isLow = freeBytes < leastFreeBytes;
  board.set(
    "SPACE_LOW",
    "",
    isLow ? { problem: `${folder}: ${mebibytes} MiB are free` } : undefined,
  );
}

/** A trouble that the state told of. */
export function stateTrouble(
  board: HealthBoard,
  { code, message }: { readonly code: string; readonly message: string },
): void {
  if (isConditionCode(code)) board.set(code, "", { problem: message });
}

/** The wall clock against one that nobody sets, from one look to the next. */
export class ClockCheck {
  #before: Moment;

  constructor(now: Moment) {
    this.#before = now;
  }

  /** Ms that the clock was set forward (or back, if negative) since the last look; 0 if it was not. */
  look(board: HealthBoard, now: Moment): number {
    const before = this.#before;
    this.#before = now;
    const isUnset = now.wallMs < clockMinMs;
    const shown = new Date(now.wallMs).toISOString();
    board.set("CLOCK_UNSET", "", isUnset ? { problem: shown.slice(0, 10) } : undefined);
    board.expire("CLOCK_JUMPED", dayMs);
    if (before.clockId !== now.clockId) return 0;
    const passedMs = elapsedMs(before, { ...now, wallMs: before.wallMs });
    const byMs = now.wallMs - before.wallMs - passedMs;
    if (Math.abs(byMs) < clockToleranceMs) return 0;
    const problem = `${durationInWords(Math.abs(byMs))} ${byMs > 0 ? "forward" : "back"}, to ${shown}`;
    board.set("CLOCK_JUMPED", "", { problem });
    return byMs;
  }
}

/** The names of all secrets that policies and the configuration refer to. */
export function secretsNeeded(policies: Iterable<Policy>, usual: Notifications): string[] {
  const names = new Set(notificationSecrets(usual));
  for (const { encryption, destination, notifications } of policies) {
    names.add(encryption.password.secret);
    if (destination.credentials !== undefined) names.add(destination.credentials.secret);
    for (const name of notificationSecrets(notifications)) names.add(name);
  }
  return [...names];
}

function notificationSecrets({ mail, webhook }: Notifications): string[] {
  return [mail?.password, webhook?.key].flatMap((each) => each?.secret ?? []);
}
