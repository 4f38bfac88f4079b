/** Does what an order asks for, whatever kind of work that is. */
import type { RunOrder, RunReport } from "../../protocol/run-order.ts";
import { doBackup } from "./backup-work.ts";
import { doCheck } from "./check-work.ts";
import type { EngineOutput } from "./engine-output.ts";
import { type StorageUse, withRepository } from "./repository-access.ts";
import { doRestore } from "./restore-work.ts";
import { reportOfBackup, reportOfCheck, reportOfRestore } from "./run-report.ts";

/** Resolves with the report of work that came to its end; rejects as the work does. */
export async function doWork(
  order: RunOrder,
  output: EngineOutput,
  storage: StorageUse,
  signal: AbortSignal,
): Promise<RunReport> {
  return await withRepository(order, output, storage, signal, async (repository) => {
    const { work, lockWaitMs } = order;
    switch (work.kind) {
      case "backup": {
        const figures = await doBackup(repository, work, order, output, signal);
        return reportOfBackup(figures, output.issues);
      }
      case "restore": {
        const figures = await doRestore(repository, work, lockWaitMs, output, signal);
        return reportOfRestore(figures, output.issues);
      }
      case "check": {
        const figures = await doCheck(repository, work, lockWaitMs, output, signal);
        return reportOfCheck(figures, output.issues);
      }
    }
  });
}
