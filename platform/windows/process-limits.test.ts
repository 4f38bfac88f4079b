import { describe, expect, it } from "vitest";
import type { ProcessCalls } from "./kernel32-processes.ts";
import { bootId, WindowsProcessLimits } from "./process-limits.ts";
import { WindowsError } from "./windows-calls.ts";

/** SYSTEM_TIMEOFDAY_INFORMATION: boot time, now, zone, its number, how far the boot time was moved, sleep. */
function timeOfDay(bootTicks: bigint, movedTicks: bigint): Uint8Array {
  const bytes = Buffer.alloc(48);
  bytes.writeBigInt64LE(bootTicks, 0);
  bytes.writeBigInt64LE(movedTicks, 32);
  return bytes;
}

const calls: ProcessCalls = {
  setIdleClass: () => {
    throw new WindowsError("SetPriorityClass", 5);
  },
  inspect: (processId) =>
    processId === 4711 ? { startTicks: 134_085_312_000_000_123n, residentBytes: 5000 } : undefined,
  programOf: () => undefined,
  uptimeMs: () => 90_000,
  awakeMs: () => 60_000,
  timeOfDay: () => timeOfDay(134_085_312_000_000_000n, 0n),
};

describe("processes of Windows", () => {
  const limits = new WindowsProcessLimits(calls);

  it("are known by the moment of their start, and how much memory they take", () => {
    expect(limits.startOf(4711)).toBe("134085312000000123");
    expect(limits.residentBytes(4711)).toBe(5000);
    expect([limits.startOf(1), limits.residentBytes(1)]).toEqual([undefined, undefined]);
  });

  it("go on when the system lets them have no other priority", () => {
    expect(() => limits.yieldToOthers()).not.toThrow();
  });

  it("belong to a start of the machine that has the same name after the clock was set", () => {
    const id = bootId(timeOfDay(134_085_312_000_000_000n, 0n));
    expect(limits.boot()).toEqual({ uptimeMs: 90_000, id });
    const hourTicks = 36_000_000_000n;
    expect(bootId(timeOfDay(134_085_312_000_000_000n + hourTicks, hourTicks))).toBe(id);
    expect(bootId(timeOfDay(134_085_312_000_000_001n, 0n))).not.toBe(id);
    expect(bootId(new Uint8Array(48))).toBe("");
  });
});
