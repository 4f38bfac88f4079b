/** The calls of advapi32.dll about privileges, permissions and shutdown, typed. */
import { check, type Handle, lazyLibrary } from "./windows-calls.ts";

export interface SecurityCalls {
  /** Lets this process use a privilege that its account has; throws if it has not. */
  enablePrivilege(name: string): void;
  /** Shuts the machine down and switches it off, at once. */
  shutDown(message: string): void;
  /** Gives a file or folder the owner and permissions of a text in SDDL. */
  setFileSecurity(path: string, descriptor: string, parts: number): void;
}

/** Parts of a security descriptor that a call sets. */
export const securityParts = { owner: 1, permissions: 4, unInherited: 0x8000_0000 } as const;

const adjustAndQuery = 0x28;
const enabled = 2;
const sddlRevision = 1;
/** SHTDN_REASON_FLAG_PLANNED. */
const plannedShutdown = 0x8000_0000;

const calls = lazyLibrary("advapi32.dll", (library) => ({
  OpenProcessToken: library.func("int OpenProcessToken(intptr_t, uint32_t, _Out_ int64_t *)") as (
    process: Handle,
    access: number,
    token: BigInt64Array,
  ) => number,
  LookupPrivilegeValueW: library.func(
    "int LookupPrivilegeValueW(const void *, str16, _Out_ uint8_t *)",
  ) as (system: null, name: string, value: Uint8Array) => number,
  AdjustTokenPrivileges: library.func(
    "int AdjustTokenPrivileges(intptr_t, int, const uint8_t *, uint32_t, const void *, const void *)",
  ) as (
    token: Handle,
    disableAll: number,
    state: Uint8Array,
    length: number,
    previous: null,
    returned: null,
  ) => number,
  InitiateSystemShutdownExW: library.func(
    "int InitiateSystemShutdownExW(const void *, str16, uint32_t, int, int, uint32_t)",
  ) as (
    machine: null,
    message: string,
    seconds: number,
    force: number,
    reboot: number,
    reason: number,
  ) => number,
  ConvertStringSecurityDescriptorToSecurityDescriptorW: library.func(
    "int ConvertStringSecurityDescriptorToSecurityDescriptorW(str16, uint32_t, _Out_ int64_t *, const void *)",
  ) as (text: string, revision: number, descriptor: BigInt64Array, size: null) => number,
  SetFileSecurityW: library.func("int SetFileSecurityW(str16, uint32_t, intptr_t)") as (
    path: string,
    parts: number,
    descriptor: Handle,
  ) => number,
}));

const kernel = lazyLibrary("kernel32.dll", (library) => ({
  CloseHandle: library.func("int CloseHandle(intptr_t)") as (handle: Handle) => number,
  LocalFree: library.func("intptr_t LocalFree(intptr_t)") as (memory: Handle) => Handle,
  GetLastError: library.func("uint32_t GetLastError()") as () => number,
}));

export const securityCalls: SecurityCalls = {
  enablePrivilege(name) {
    const token = new BigInt64Array(1);
    check(calls().OpenProcessToken(-1, adjustAndQuery, token) !== 0, "OpenProcessToken");
    try {
      // TOKEN_PRIVILEGES: how many, then for each its id and attributes.
      const state = Buffer.alloc(16);
      const id = Buffer.alloc(8);
      check(calls().LookupPrivilegeValueW(null, name, id) !== 0, "LookupPrivilegeValueW");
      state.writeUInt32LE(1, 0);
      id.copy(state, 4);
      state.writeUInt32LE(enabled, 12);
      const done = calls().AdjustTokenPrivileges(token[0], 0, state, state.length, null, null);
      // It also succeeds when it could not give the privilege, and tells by the last error.
      check(done !== 0 && kernel().GetLastError() === 0, `AdjustTokenPrivileges ${name}`);
    } finally {
      kernel().CloseHandle(token[0]);
    }
  },

  shutDown(message) {
    const done = calls().InitiateSystemShutdownExW(null, message, 0, 0, 0, plannedShutdown);
    check(done !== 0, "InitiateSystemShutdownExW");
  },

  setFileSecurity(path, descriptor, parts) {
    const memory = new BigInt64Array(1);
    const convert = calls().ConvertStringSecurityDescriptorToSecurityDescriptorW;
    const converted = convert(descriptor, sddlRevision, memory, null);
    check(converted !== 0, "ConvertStringSecurityDescriptorToSecurityDescriptorW");
    try {
      check(calls().SetFileSecurityW(path, parts >>> 0, memory[0]) !== 0, "SetFileSecurityW");
    } finally {
      kernel().LocalFree(memory[0]);
    }
  },
};
