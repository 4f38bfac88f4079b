/** Processes of a Mac. */
import { constants, setPriority } from "node:os";
import type { ProcessLimits } from "../ports/process-limits.ts";
import { type DarwinProcessCalls, darwinProcessCalls } from "./libsystem.ts";

/** Of `struct proc_taskallinfo`. */
const offsets = { status: 4, startSeconds: 120, startMicros: 128, residentBytes: 144 } as const;
const zombie = 5;

export class DarwinProcessLimits implements ProcessLimits {
  readonly #calls: DarwinProcessCalls;

  /** `calls` are others than the system's, for tests. */
  constructor(calls: DarwinProcessCalls = darwinProcessCalls) {
    this.#calls = calls;
  }

  yieldToOthers(): void {
    try {
      setPriority(constants.priority.PRIORITY_LOW);
    } catch {
      // What the system refuses is left out.
    }
    try {
      this.#calls.throttleDisk();
    } catch {
      // As above.
    }
  }

  residentBytes(processId: number): number | undefined {
    const info = this.#info(processId);
    return info === undefined ? undefined : Number(info.getBigUint64(offsets.residentBytes, true));
  }

  startOf(processId: number): string | undefined {
    const info = this.#info(processId);
    if (info === undefined) return undefined;
    const seconds = info.getBigUint64(offsets.startSeconds, true);
    const micros = info.getBigUint64(offsets.startMicros, true);
    return `${seconds}.${String(micros).padStart(6, "0")}`;
  }

  boot(): { readonly uptimeMs: number; readonly id: string } {
    return { uptimeMs: Math.round(this.#calls.uptimeMs()), id: this.#calls.bootSession() };
  }

  /** What has ended and was not collected yet is gone. */
  #info(processId: number): DataView | undefined {
    const bytes = this.#calls.taskInfo(processId);
    if (bytes === undefined) return undefined;
    const info = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return info.getUint32(offsets.status, true) === zombie ? undefined : info;
  }
}
