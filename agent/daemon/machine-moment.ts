/** The moment by both clocks of this machine: the one that people set, and one that nobody sets. */
import type { Moment } from "../../protocol/schedule/moment.ts";
import type { DaemonOptions } from "./daemon-options.ts";

export function machineMoment({ clock, limits }: Pick<DaemonOptions, "clock" | "limits">): Moment {
  const { uptimeMs, id } = limits.boot();
  // A machine that does not tell its start has at least the time of this process.
  return id === ""
    ? { wallMs: clock.now(), monotonicMs: clock.monotonic(), clockId: `process ${process.pid}` }
    : { wallMs: clock.now(), monotonicMs: uptimeMs, clockId: id };
}
