/** An engine whose daemon is gone: it has seen that and ends by itself; if not, it is ended. */
import type { Clock } from "../../platform/ports/clock.ts";
import type { ProcessLimits } from "../../platform/ports/process-limits.ts";
import { endProcessGroup } from "../../platform/process-group.ts";
import { isProcessAlive } from "../../platform/process-identity.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import type { EngineWatch } from "./engine-run.ts";

const lookMs = 200;

export interface OrphanSurroundings {
  readonly clock: Clock;
  readonly limits: ProcessLimits;
  readonly watch: Pick<EngineWatch, "graceMs">;
}

/**
 * Resolves when the engine of a session that another daemon has begun is gone; ends it after the grace time. Only what is
 * known to be that engine is ended: where the system does not tell processes of one id apart, it is waited for as
 * long, and then left alone.
 */
export async function orphanGone(
  session: SessionRecord,
  world: OrphanSurroundings,
  signal: AbortSignal,
): Promise<void> {
  const { clock, limits } = world;
  const { engine, boot } = session;
  if (engine === undefined || boot !== limits.boot().id) return;
  const { processId, start } = engine;
  const lives = (): boolean =>
    start === "" ? isProcessAlive(processId) : limits.startOf(processId) === start;
  const endMs = clock.monotonic() + world.watch.graceMs;
  while (lives()) {
    if (clock.monotonic() >= endMs) {
      if (start === "") return;
      endProcessGroup(processId, "kill");
    }
    await clock.sleep(lookMs, signal);
  }
}
