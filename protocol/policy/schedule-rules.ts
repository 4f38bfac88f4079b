/** When a policy runs. The same rules serve servers and workstations. */
import { z } from "zod";
import { daySet, duration, policyName, timeOfDay, weekdays } from "./scalars.ts";

/** Part of a day; `to` before or at `from` means the next morning. */
export const hours = z.strictObject({
  days: daySet.prefault("everyday"),
  from: timeOfDay,
  to: timeOfDay,
});

const dayOfMonthError =
  "must be 1 to 31, last, or a weekday such as { ordinal: second, weekday: sunday }";
const months = z.array(z.int().min(1).max(12)).min(1);

export const timer = z.discriminatedUnion("every", [
  z.strictObject({ every: z.literal("day"), at: timeOfDay, days: daySet.prefault("everyday") }),
  z.strictObject({
    every: z.literal("month"),
    at: timeOfDay,
    /** Day of the month (a 31st falls away where there is none), `last`, or a weekday such as `second sunday`. */
    day: z.union(
      [
        z.int().min(1).max(31),
        z.literal("last"),
        z.strictObject({
          ordinal: z.enum(["first", "second", "third", "fourth", "last"]),
          weekday: z.enum(weekdays),
        }),
      ],
      { error: dayOfMonthError },
    ),
    months: months.optional(),
  }),
  z
    .strictObject({
      every: z.literal("interval"),
      /** Counted from local midnight: `4h` is 0, 4, 8, … o'clock. At least a minute. */
      interval: duration.refine((ms) => ms >= 60_000, "must be at least one minute"),
      /** Moves the whole grid; less than the interval. */
      offset: duration.optional(),
      /** Other times are skipped; where one opens, a slot that fell away before runs at once. */
      permitted: z.array(hours).min(1).optional(),
    })
    .refine(({ interval, offset = 0 }) => offset < interval, {
      path: ["offset"],
      error: "must be less than the interval",
    }),
  /** Five or six fields as node-cron takes them; the six-field form begins with seconds. */
  z.strictObject({ every: z.literal("cron"), expression: z.string().min(1) }),
  z.strictObject({ every: z.literal("continuous"), pause: duration.optional() }),
  z.strictObject({ every: z.literal("after-policy"), policy: policyName }),
]);

export const eventKinds = [
  "lock",
  "unlock",
  "log-off",
  "log-on",
  "target-connected",
  "power-on",
  "resume",
  "network-change",
] as const;
export type EventKind = (typeof eventKinds)[number];

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

export const scheduleRules = z.strictObject({
  timers: z.array(timer).default([]),
  events: z.array(z.enum(eventKinds)).default([]),
  /** Event-triggered runs keep this distance from the last run of any cause. */
  noMoreOftenThan: duration.optional(),
  /** A run outside is not started, one that reaches the end is ended cleanly and goes on in the next window. */
  window: z.array(hours).min(1).optional(),
  missed: z
    .strictObject({
      action: z.enum(["run-when-powered-on", "skip"]).default("run-when-powered-on"),
      /** So late a slot still counts as on time, whatever the action. */
      tolerance: duration.prefault("15m"),
      /** A run that makes up for a missed one starts at random within this time after power-on. */
      randomDelay: duration.prefault("5m"),
    })
    .prefault({}),
  /** Only failed scheduled runs are repeated. Default by kind: server 3 × 30 min, workstation every 10 min for 23 h. */
  retry: z
    .strictObject({
      attempts: z.int().min(0).max(1000),
      interval: duration,
    })
    .optional(),
  /** Wake the machine from sleep for a slot. */
  wake: z.boolean().default(false),
  /** IANA name; default: the machine's. */
  timeZone: z
    .string()
    .refine(isTimeZone, "must be the name of a time zone such as Europe/Berlin")
    .optional(),
  afterwards: z
    .strictObject({
      action: z.enum(["keep-running", "sleep", "hibernate", "shut-down"]).default("keep-running"),
      /** Time for the user to cancel. */
      delay: duration.prefault("60s"),
      /** Eject the removable target after a successful run that an event started. */
      eject: z.boolean().default(false),
    })
    .prefault({}),
});

export type Hours = z.output<typeof hours>;
export type Timer = z.output<typeof timer>;
export type ScheduleRules = z.output<typeof scheduleRules>;
