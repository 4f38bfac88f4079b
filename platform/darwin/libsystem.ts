/** The calls of macOS's C library about processes and clocks, typed. Loaded at the first use. */
import koffi from "koffi";

export interface DarwinProcessCalls {
  /** Disk work of this process waits for that of others. */
  throttleDisk(): void;
  /** The 232 bytes of `struct proc_taskallinfo`; undefined if the process is gone or may not be asked. */
  taskInfo(processId: number): Uint8Array | undefined;
  /** A name of this start of the system; empty if unknown. */
  bootSession(): string;
  /** Ms since the start of the system, sleep included. */
  uptimeMs(): number;
  /** Ms since the start of the system, sleep left out. */
  awakeMs(): number;
}

const diskPolicy = 0;
const ofProcess = 0;
const throttled = 3;
const taskAllInfo = 2;
const taskAllInfoBytes = 232;
const clocks = { uptime: 8, monotonic: 4 } as const;
const nanosecondsPerMs = 1_000_000;

interface Library {
  setiopolicy_np(kind: number, scope: number, policy: number): number;
  proc_pidinfo(
    processId: number,
    flavor: number,
    argument: number,
    buffer: Uint8Array,
    length: number,
  ): number;
  sysctlbyname(
    name: string,
    value: Uint8Array,
    length: BigUint64Array,
    newValue: null,
    newLength: number,
  ): number;
  clock_gettime_nsec_np(clock: number): number | bigint;
}

let loaded: Library | undefined;

function library(): Library {
  if (loaded !== undefined) return loaded;
  const system = koffi.load("/usr/lib/libSystem.B.dylib");
  loaded = {
    setiopolicy_np: system.func("int setiopolicy_np(int, int, int)"),
    proc_pidinfo: system.func("int proc_pidinfo(int, int, uint64_t, _Out_ uint8_t *, int)"),
    sysctlbyname: system.func(
      "int sysctlbyname(const char *, _Out_ uint8_t *, _Inout_ uint64_t *, void *, size_t)",
    ),
    clock_gettime_nsec_np: system.func("uint64_t clock_gettime_nsec_np(int)"),
  };
  return loaded;
}

export const darwinProcessCalls: DarwinProcessCalls = {
  throttleDisk() {
    library().setiopolicy_np(diskPolicy, ofProcess, throttled);
  },

  taskInfo(processId) {
    const info = Buffer.alloc(taskAllInfoBytes);
    const length = library().proc_pidinfo(processId, taskAllInfo, 0, info, info.length);
    return length === taskAllInfoBytes ? info : undefined;
  },

  bootSession() {
    const value = Buffer.alloc(64);
    const length = BigUint64Array.of(BigInt(value.length));
    if (library().sysctlbyname("kern.bootsessionuuid", value, length, null, 0) !== 0) return "";
    return value.toString("latin1", 0, Number(length[0])).replace(/\0.*$/s, "");
  },

  uptimeMs: () => clock(clocks.monotonic),
  awakeMs: () => clock(clocks.uptime),
};

function clock(id: number): number {
  return Number(library().clock_gettime_nsec_np(id)) / nanosecondsPerMs;
}
