/** Processes of a Windows machine. */
import type { ProcessLimits } from "../ports/process-limits.ts";
import { type ProcessCalls, processCalls } from "./kernel32-processes.ts";

export class WindowsProcessLimits implements ProcessLimits {
  readonly #calls: ProcessCalls;

  /** `calls` are others than the system's, for tests. */
  constructor(calls: ProcessCalls = processCalls) {
    this.#calls = calls;
  }

  yieldToOthers(): void {
    try {
      // Not the background mode: it also takes memory away, and can starve a backup for hours.
      this.#calls.setIdleClass();
    } catch {
      // What the system refuses is left out.
    }
  }

  residentBytes(processId: number): number | undefined {
    const residentBytes = this.#calls.inspect(processId)?.residentBytes ?? 0;
    return residentBytes === 0 ? undefined : residentBytes;
  }

  startOf(processId: number): string | undefined {
    return this.#calls.inspect(processId)?.startTicks.toString();
  }

  boot(): { readonly uptimeMs: number; readonly id: string } {
    return { uptimeMs: this.#calls.uptimeMs(), id: bootId(this.#calls.timeOfDay()) };
  }
}

const bootTimeOffset = 0;
const bootTimeBiasOffset = 32;

/**
 * When the system began, in 100 ns since 1601, of SYSTEM_TIMEOFDAY_INFORMATION. Windows moves its boot time each time
 * somebody sets the clock, and keeps by how much: without that it stays. Empty where Windows tells no time.
 */
export function bootId(timeOfDay: Uint8Array): string {
  const view = new DataView(timeOfDay.buffer, timeOfDay.byteOffset, timeOfDay.length);
  const bootTicks = view.getBigInt64(bootTimeOffset, true);
  if (bootTicks === 0n) return "";
  return (bootTicks - view.getBigInt64(bootTimeBiasOffset, true)).toString();
}
