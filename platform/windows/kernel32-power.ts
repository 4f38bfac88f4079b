/** The calls of kernel32.dll and powrprof.dll about power, typed. */
import koffi from "koffi";
import { check, type Handle, lazyLibrary, wideText } from "./windows-calls.ts";

/** What a power request may ask for. */
export const powerRequests = { systemRequired: 1, executionRequired: 3 } as const;

export interface PowerCalls {
  /** The 12 bytes of SYSTEM_POWER_STATUS. */
  powerStatus(): Uint8Array;
  createRequest(reason: string): Handle;
  setRequest(request: Handle, kind: number): void;
  close(handle: Handle): void;
  createTimer(): Handle;
  /** `dueTicks` counts 100 ns since 1601, UTC. False if Windows sets the timer but can't wake by it. */
  setWakingTimer(timer: Handle, dueTicks: bigint): boolean;
  isSuspendAllowed(): boolean;
  isHibernateAllowed(): boolean;
  /** Returns when the machine has come back. */
  suspend(hibernate: boolean): Promise<void>;
}

const statusBytes = 12;
const reasonContextBytes = 32;
const simpleString = 1;
const wakeUnsupported = 50;

const kernel = lazyLibrary("kernel32.dll", (library) => ({
  GetSystemPowerStatus: library.func("int GetSystemPowerStatus(_Out_ uint8_t *)") as (
    status: Uint8Array,
  ) => number,
  PowerCreateRequest: library.func("intptr_t PowerCreateRequest(const uint8_t *)") as (
    context: Uint8Array,
  ) => Handle,
  PowerSetRequest: library.func("int PowerSetRequest(intptr_t, int)") as (
    request: Handle,
    kind: number,
  ) => number,
  CloseHandle: library.func("int CloseHandle(intptr_t)") as (handle: Handle) => number,
  CreateWaitableTimerW: library.func(
    "intptr_t CreateWaitableTimerW(const void *, int, const void *)",
  ) as (security: null, manualReset: number, name: null) => Handle,
  SetWaitableTimer: library.func(
    "int SetWaitableTimer(intptr_t, const int64_t *, int32_t, const void *, const void *, int)",
  ) as (
    timer: Handle,
    due: BigInt64Array,
    periodMs: number,
    completion: null,
    argument: null,
    resume: number,
  ) => number,
  GetLastError: library.func("uint32_t GetLastError()") as () => number,
}));

const profile = lazyLibrary("powrprof.dll", (library) => ({
  IsPwrSuspendAllowed: library.func("uint8_t IsPwrSuspendAllowed()") as () => number,
  IsPwrHibernateAllowed: library.func("uint8_t IsPwrHibernateAllowed()") as () => number,
  SetSuspendState: library.func("uint8_t SetSuspendState(uint8_t, uint8_t, uint8_t)") as {
    async(
      hibernate: number,
      force: number,
      noWake: number,
      done: (error: Error | null, succeeded: number) => void,
    ): void;
  },
}));

export const powerCalls: PowerCalls = {
  powerStatus() {
    const status = Buffer.alloc(statusBytes);
    check(kernel().GetSystemPowerStatus(status) !== 0, "GetSystemPowerStatus");
    return status;
  },

  createRequest(reason) {
    // REASON_CONTEXT with a plain text, which Windows copies.
    const text = wideText(reason);
    const context = Buffer.alloc(reasonContextBytes);
    context.writeUInt32LE(simpleString, 4);
    context.writeBigUInt64LE(koffi.address(text), 8);
    const request = kernel().PowerCreateRequest(context);
    check(Number(request) !== -1 && Number(request) !== 0, "PowerCreateRequest");
    return request;
  },

  setRequest(request, kind) {
    check(kernel().PowerSetRequest(request, kind) !== 0, "PowerSetRequest");
  },

  close(handle) {
    kernel().CloseHandle(handle);
  },

  createTimer() {
    const timer = kernel().CreateWaitableTimerW(null, 1, null);
    check(Number(timer) !== 0, "CreateWaitableTimerW");
    return timer;
  },

  setWakingTimer(timer, dueTicks) {
    const due = BigInt64Array.of(dueTicks);
    check(kernel().SetWaitableTimer(timer, due, 0, null, null, 1) !== 0, "SetWaitableTimer");
    return kernel().GetLastError() !== wakeUnsupported;
  },

  isSuspendAllowed: () => profile().IsPwrSuspendAllowed() !== 0,
  isHibernateAllowed: () => profile().IsPwrHibernateAllowed() !== 0,

  suspend: async (hibernate) =>
    await new Promise((resolve, reject) => {
      profile().SetSuspendState.async(hibernate ? 1 : 0, 0, 0, (error, succeeded) => {
        if (error === null && succeeded !== 0) resolve();
        else reject(error ?? new Error("SetSuspendState: Windows refused"));
      });
    }),
};
