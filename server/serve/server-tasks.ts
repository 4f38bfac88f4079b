/** What the server does by itself from time to time, whoever asks or not. */
import { keepBundlesCurrent } from "../bundles/bundle-upkeep.ts";
import { sweepCommands } from "../commands/command-sweep.ts";
import type { PeriodicTask } from "../ground/periodic-tasks.ts";
import { forgetOldIdempotencyKeys } from "../http/idempotency.ts";
import { noteOverdue } from "../reports/overdue.ts";
import { dropOldReports } from "../reports/report-retention.ts";
import { memoryLookEveryMs } from "../reports/server-memory.ts";
import type { Rooms } from "./rooms.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** The tasks of all rooms. Names are those of their leases. */
export function serverTasks(rooms: Rooms): readonly PeriodicTask[] {
  const { ground, fleet, schedule, uploads, repositories, rollouts, memory, standNotices } = rooms;
  return [
    ...fleet.tasks,
    {
      name: "server-memory",
      everyMs: memoryLookEveryMs,
      run: async () => await memory.look(),
    },
    {
      name: "server-schedule",
      everyMs: minuteMs / 2,
      run: async () => await schedule.look(),
    },
    {
      name: "bundle-upkeep",
      everyMs: minuteMs,
      run: async () => await keepBundlesCurrent(ground, repositories),
    },
    {
      name: "stand-notices",
      everyMs: minuteMs,
      // The gateway's folder is at one of them.
      isOfEach: true,
      run: async () => await standNotices.look(),
    },
    { name: "rollouts", everyMs: minuteMs, run: async () => await rollouts.look() },
    {
      name: "overdue",
      everyMs: minuteMs,
      run: async () => await noteOverdue(ground, memory),
    },
    {
      name: "command-sweep",
      everyMs: minuteMs,
      run: async () => await sweepCommands(ground),
    },
    {
      name: "upload-sweep",
      everyMs: hourMs,
      isOfEach: true,
      run: async () => await uploads.sweep(),
    },
    {
      name: "report-retention",
      everyMs: hourMs,
      run: async () => await dropOldReports(ground),
    },
    {
      name: "idempotency-keys",
      everyMs: hourMs,
      run: async () => await forgetOldIdempotencyKeys(ground),
    },
  ];
}
