/** The small values of a policy document: durations, sizes, times of day, names; written as people write them. */
import { z } from "zod";

const durationUnitsMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const durationText = /^(\d+(?:s|m|h|d|w))(?:\s*(\d+(?:s|m|h|d|w)))*$/;
const sizeUnits = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
const sizeText = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB)$/;
const timeText = /^([01]\d|2[0-3]):([0-5]\d)$/;

/** `90s`, `30m`, `4h`, `1d 12h`, `2w`; parsed to milliseconds. */
export const duration = z
  .string()
  .regex(durationText, "must be a duration such as 30m, 4h or 1d 12h")
  .transform((text) => {
    let total = 0;
    for (const [, count, unit] of text.matchAll(/(\d+)(s|m|h|d|w)/g))
      total += Number(count) * durationUnitsMs[unit as keyof typeof durationUnitsMs];
    return total;
  });

/** `500 MiB`, `1.5 GiB`; parsed to bytes. */
export const size = z
  .string()
  .regex(sizeText, "must be a size such as 500 MiB or 1.5 GiB")
  .transform((text) => {
    const [, count, unit] = sizeText.exec(text) ?? [];
    return Math.round(Number(count) * sizeUnits[unit as keyof typeof sizeUnits]);
  });

/** `HH:MM` of a wall clock; parsed to minutes after midnight, 0 to 1439. */
export const timeOfDay = z
  .string()
  .regex(timeText, "must be a time of day such as 22:30")
  .transform((text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)));

/** Names of policies and secrets: they become file names and parts of commands. */
export const policyName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/,
    "must be 1 to 64 of a-z, 0-9, dot, dash and underscore",
  );

export const weekdays = [
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
  "sunday",
] as const;
export type Weekday = (typeof weekdays)[number];

/** One or more days; `everyday`, `weekdays` and `weekend` stand for several. Parsed to days in the order of the week. */
export const daySet = z
  .union([z.enum(["everyday", "weekdays", "weekend"]), z.array(z.enum(weekdays)).min(1)])
  .transform((given): readonly Weekday[] => {
    if (given === "everyday") return weekdays;
    if (given === "weekdays") return weekdays.slice(0, 5);
    if (given === "weekend") return weekdays.slice(5);
    return weekdays.filter((day) => given.includes(day));
  });

/** A secret is named, never written into a policy. */
export const secretReference = z.strictObject({ secret: policyName });
