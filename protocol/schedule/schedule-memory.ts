/**
 * What the schedule remembers of a policy from one look to the next: plain JSON. It is stored before a run that it
 * names is asked for, so that no slot is ever run twice, and none is lost in between.
 */
import { z } from "zod";

const moment = z.strictObject({
  wallMs: z.number(),
  monotonicMs: z.number(),
  clockId: z.string(),
});

const dueRun = z.strictObject({
  kind: z.enum(["schedule", "event", "missed", "retry", "after-policy"]),
  /** For people. */
  text: z.string(),
  /** The moment of the schedule that it stands for. */
  slotMs: z.number().exactOptional(),
  /** 1 for a first run, one more for each retry. */
  attempt: z.int().min(1),
  /** When it became due, and how long after that it starts at the earliest. */
  since: moment,
  delayMs: z.number().min(0),
});

const scheduleMemory = z.strictObject({
  version: z.literal(1),
  /** When the schedule was looked at last. */
  seen: moment,
  /** What the clock on the wall showed then, as local-time.ts counts. */
  seenLocalMs: z.number(),
  /** Slots in there have been dealt with; in order. */
  served: z.array(z.tuple([z.number(), z.number()]).readonly()).readonly(),
  /** After a change of the zone: local times up to this one were shown before, and what they ask for is served. */
  servedLocalMs: z.number().exactOptional(),
  /** The newest slot that came, whether it was run or left out, and when that was; at first the beginning. */
  lastSlot: z.strictObject({ atMs: z.number(), dealtWith: moment }),
  lastRun: z
    .strictObject({
      sessionId: z.string(),
      /** Absent if it never left the queue. */
      started: moment.exactOptional(),
      finished: moment,
      /** Runs that failed, with none that was good since. */
      failures: z.int().min(0),
    })
    .exactOptional(),
  /** Start of the last run that left a backup. */
  lastGood: moment.exactOptional(),
  /** What is to run as soon as it may. */
  due: dueRun.exactOptional(),
  /** What becomes due again once `delayMs` have passed. */
  retry: dueRun.exactOptional(),
  /** What was asked for last. It stays here until a session shows that it arrived. */
  asked: dueRun.exactOptional(),
});

export type ScheduleMemory = z.output<typeof scheduleMemory>;
export type DueRun = z.output<typeof dueRun>;

/** Memory as it was stored; undefined if it is none or of another version: the schedule then begins anew. */
export function readScheduleMemory(stored: unknown): ScheduleMemory | undefined {
  return scheduleMemory.safeParse(stored).data;
}
