/** What Node itself knows of processes, for systems without an adapter of their own. */
import { constants, setPriority, uptime } from "node:os";
import type { ProcessLimits } from "../ports/process-limits.ts";

export class PortableProcessLimits implements ProcessLimits {
  yieldToOthers(): void {
    try {
      setPriority(constants.priority.PRIORITY_LOW);
    } catch {
      // What the system refuses is left out.
    }
  }

  residentBytes(processId: number): number | undefined {
    return processId === process.pid ? process.memoryUsage.rss() : undefined;
  }

  startOf(): string | undefined {
    return undefined;
  }

  boot(): { readonly uptimeMs: number; readonly id: string } {
    return { uptimeMs: Math.round(uptime() * 1000), id: "" };
  }
}
