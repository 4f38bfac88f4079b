/** The calls of kernel32.dll and ntdll.dll about processes and clocks, typed. */
import { check, type Handle, lazyLibrary, textOfWide } from "./windows-calls.ts";

export interface ProcessCalls {
  /** Lowest class of processor time for this process. */
  setIdleClass(): void;
  /** What the structures say of a process; undefined if it is gone or may not be asked. */
  inspect(processId: number): ProcessFacts | undefined;
  /** The path of its program; undefined as above. */
  programOf(processId: number): string | undefined;
  /** Ms since the start of the machine, sleep included. */
  uptimeMs(): number;
  /** Ms since the start of the machine, sleep left out. */
  awakeMs(): number;
  /** The 48 bytes of SYSTEM_TIMEOFDAY_INFORMATION. */
  timeOfDay(): Uint8Array;
}

export interface ProcessFacts {
  /** When it began, in 100 ns since 1601. */
  readonly startTicks: bigint;
  readonly residentBytes: number;
}

const queryLimited = 0x1000;
const idleClass = 0x40;
const stillActive = 259;
const memoryCountersBytes = 72;
const workingSetOffset = 16;
const timeOfDayInformation = 3;
const timeOfDayBytes = 48;
const pathUnitsMax = 32_768;

const calls = lazyLibrary("kernel32.dll", (library) => ({
  OpenProcess: library.func("intptr_t OpenProcess(uint32_t, int, uint32_t)") as (
    access: number,
    inherit: number,
    processId: number,
  ) => Handle,
  CloseHandle: library.func("int CloseHandle(intptr_t)") as (handle: Handle) => number,
  SetPriorityClass: library.func("int SetPriorityClass(intptr_t, uint32_t)") as (
    process: Handle,
    priorityClass: number,
  ) => number,
  GetExitCodeProcess: library.func("int GetExitCodeProcess(intptr_t, _Out_ uint32_t *)") as (
    process: Handle,
    exitCode: Uint32Array,
  ) => number,
  GetProcessTimes: library.func(
    "int GetProcessTimes(intptr_t, _Out_ uint64_t *, _Out_ uint64_t *, _Out_ uint64_t *, _Out_ uint64_t *)",
  ) as (
    process: Handle,
    start: BigUint64Array,
    exit: BigUint64Array,
    kernel: BigUint64Array,
    user: BigUint64Array,
  ) => number,
  K32GetProcessMemoryInfo: library.func(
    "int K32GetProcessMemoryInfo(intptr_t, _Out_ uint8_t *, uint32_t)",
  ) as (process: Handle, counters: Uint8Array, length: number) => number,
  QueryFullProcessImageNameW: library.func(
    "int QueryFullProcessImageNameW(intptr_t, uint32_t, _Out_ uint8_t *, _Inout_ uint32_t *)",
  ) as (process: Handle, flags: number, name: Uint8Array, units: Uint32Array) => number,
  GetTickCount64: library.func("uint64_t GetTickCount64()") as () => number | bigint,
  QueryUnbiasedInterruptTime: library.func("int QueryUnbiasedInterruptTime(_Out_ uint64_t *)") as (
    ticks: BigUint64Array,
  ) => number,
}));

const native = lazyLibrary("ntdll.dll", (library) => ({
  NtQuerySystemInformation: library.func(
    "int32_t NtQuerySystemInformation(int, _Out_ uint8_t *, uint32_t, _Out_ uint32_t *)",
  ) as (kind: number, bytes: Uint8Array, length: number, returned: Uint32Array) => number,
}));

export const processCalls: ProcessCalls = {
  setIdleClass() {
    check(calls().SetPriorityClass(-1, idleClass) !== 0, "SetPriorityClass");
  },

  inspect: (processId) =>
    withProcess(processId, (process) => {
      const exitCode = new Uint32Array(1);
      const times = [0, 1, 2, 3].map(() => new BigUint64Array(1));
      const counters = Buffer.alloc(memoryCountersBytes);
      counters.writeUInt32LE(counters.length, 0);
      const [start, exit, kernelTime, userTime] = times;
      // A process that has ended stays known for as long as somebody holds it open.
      const isAlive =
        calls().GetExitCodeProcess(process, exitCode) !== 0 && exitCode[0] === stillActive;
      if (!isAlive || calls().GetProcessTimes(process, start, exit, kernelTime, userTime) === 0)
        return undefined;
      const hasMemory = calls().K32GetProcessMemoryInfo(process, counters, counters.length) !== 0;
      const residentBytes = hasMemory ? Number(counters.readBigUInt64LE(workingSetOffset)) : 0;
      return { startTicks: start[0], residentBytes };
    }),

  programOf: (processId) =>
    withProcess(processId, (process) => {
      const name = Buffer.alloc(pathUnitsMax * 2);
      const units = Uint32Array.of(pathUnitsMax);
      if (calls().QueryFullProcessImageNameW(process, 0, name, units) === 0) return undefined;
      return textOfWide(name.subarray(0, units[0] * 2));
    }),

  uptimeMs: () => Number(calls().GetTickCount64()),

  awakeMs() {
    const ticks = new BigUint64Array(1);
    check(calls().QueryUnbiasedInterruptTime(ticks) !== 0, "QueryUnbiasedInterruptTime");
    return Number(ticks[0] / 10_000n);
  },

  timeOfDay() {
    const bytes = Buffer.alloc(timeOfDayBytes);
    native().NtQuerySystemInformation(
      timeOfDayInformation,
      bytes,
      bytes.length,
      new Uint32Array(1),
    );
    return bytes;
  },
};

function withProcess<Result>(
  processId: number,
  ask: (process: Handle) => Result | undefined,
): Result | undefined {
  const process = calls().OpenProcess(queryLimited, 0, processId);
  if (Number(process) === 0) return undefined;
  try {
    return ask(process);
  } finally {
    calls().CloseHandle(process);
  }
}
