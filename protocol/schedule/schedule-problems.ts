/** What is wrong with the schedule of a policy beyond the form of its document. Pure. */
import type { ScheduleRules } from "../policy/schedule-rules.ts";
import { CronSyntaxError, parseCron } from "./cron-expression.ts";
import { timerInWords } from "./schedule-words.ts";
import { nextSlot } from "./slots.ts";

export interface ScheduleProblem {
  /** Below `schedule`: `timers.0.expression`. */
  readonly path: readonly (string | number)[];
  /** For people, to be read after the path: `must …`. */
  readonly text: string;
}

/** Looked at from here on: every schedule repeats within 40 years. */
const fromMs = Date.UTC(2025, 0, 1);

/** Everything that would keep a schedule from working as it is written; empty if nothing does. */
export function scheduleProblems(rules: ScheduleRules): ScheduleProblem[] {
  return rules.timers.flatMap((timer, at): ScheduleProblem[] => {
    if (timer.every === "cron")
      try {
        parseCron(timer.expression);
      } catch (error) {
        if (!(error instanceof CronSyntaxError)) throw error;
        return [{ path: ["timers", at, "expression"], text: error.message }];
      }
    if (timer.every === "continuous" || timer.every === "after-policy") return [];
    if (nextSlot({ ...rules, timers: [timer] }, "UTC", fromMs) !== undefined) return [];
    return [{ path: ["timers", at], text: `never comes: ${timerInWords(timer)}` }];
  });
}
