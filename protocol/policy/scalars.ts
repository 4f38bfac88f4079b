/**
 * The small values of a policy document: durations, sizes, times of day, names; written as people write them. Each is a
 * codec: it reads the written form, and writes a value back in its shortest form.
 */
import { z } from "zod";
import { bytesOfSize, sizePattern, sizeUnits } from "../size-text.ts";

const durationUnitsMs = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 };
const durationText = /^\d{1,7}[smhdw](?: ?\d{1,7}[smhdw]){0,4}$/;
const timeText = /^(?:[01]\d|2[0-3]):[0-5]\d$/;

/** `90s`, `30m`, `4h`, `1d 12h`, `2w`; a number of milliseconds, whole seconds. */
export const duration = z.codec(
  z.string().regex(durationText, "must be a duration such as 30m, 4h or 1d 12h"),
  z.int().min(0),
  {
    decode: (text) => {
      let totalMs = 0;
      for (const [, count, unit] of text.matchAll(/(\d+)([smhdw])/g))
        totalMs += Number(count) * durationUnitsMs[unit as keyof typeof durationUnitsMs];
      return totalMs;
    },
    encode: (totalMs) => {
      let rest = totalMs;
      const parts: string[] = [];
      for (const [unit, unitMs] of Object.entries(durationUnitsMs)) {
        // Days are easier to compare than a mixture of weeks and days.
        const count = unit === "w" ? 0 : Math.floor(rest / unitMs);
        if (count > 0) parts.push(`${count}${unit}`);
        rest -= count * unitMs;
      }
      return parts.length === 0 ? "0s" : parts.join(" ");
    },
  },
);

/** `500 MiB`, `1.5 GiB`; a number of bytes. */
export const size = z.codec(
  z.string().regex(sizePattern, "must be a size such as 500 MiB or 1.5 GiB"),
  z.int().min(0),
  {
    decode: (text) => bytesOfSize(text) ?? Number.NaN,
    encode: (bytes) => {
      const [unit, unitBytes] = Object.entries(sizeUnits).find(
        ([, each]) => bytes >= each && bytes % each === 0,
      ) ?? ["B", 1];
      return `${bytes / unitBytes} ${unit}`;
    },
  },
);

/** `HH:MM` of a wall clock; minutes after midnight, 0 to 1439. */
export const timeOfDay = z.codec(
  z.string().regex(timeText, "must be a time of day such as 22:30"),
  z.int().min(0).max(1439),
  {
    decode: (text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)),
    encode: (minutes) =>
      [Math.floor(minutes / 60), minutes % 60]
        .map((part) => String(part).padStart(2, "0"))
        .join(":"),
  },
);

/** Names of policies and secrets: they become file names and parts of commands. */
export const policyName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/,
    "must be 1 to 64 of a-z, 0-9, dot, dash and underscore, with a letter or digit at both ends",
  );

/** What a storage calls a class of objects. */
export const storageClassName = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, "must be the storage's word for it, such as STANDARD_IA");

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

const daySetNames = {
  everyday: weekdays,
  weekdays: weekdays.slice(0, 5),
  weekend: weekdays.slice(5),
};

/** One or more days; `everyday`, `weekdays` and `weekend` stand for several. Days in the order of the week. */
export const daySet = z.codec(
  z.union([z.enum(["everyday", "weekdays", "weekend"]), z.array(z.enum(weekdays)).min(1)], {
    error: "must be everyday, weekdays, weekend or a list of days such as [monday, friday]",
  }),
  z.array(z.enum(weekdays)).readonly(),
  {
    decode: (given) =>
      typeof given === "string"
        ? [...daySetNames[given]]
        : weekdays.filter((day) => given.includes(day)),
    encode: (days) => {
      const sets = Object.entries(daySetNames) as [keyof typeof daySetNames, readonly Weekday[]][];
      return sets.find(([, set]) => set.join() === days.join())?.[0] ?? [...days];
    },
  },
);

/** A secret is named, never written into a policy. */
export const secretReference = z.strictObject({ secret: policyName });
