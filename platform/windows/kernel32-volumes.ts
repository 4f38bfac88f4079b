/** The calls of kernel32.dll about drives and volumes, typed. What may wait for a device is asynchronous. */
import { check, type Handle, invalidHandle, lazyLibrary } from "./windows-calls.ts";

export const driveTypes = {
  removable: 2,
  fixed: 3,
  network: 4,
  optical: 5,
  memory: 6,
} as const;

export interface VolumeCalls {
  /** A bit for each letter, A the lowest. */
  driveLetters(): number;
  /** One of `driveTypes`, or another number; `root` is such as `E:\`. */
  driveType(root: string): number;
  /** The serial number of the file system; undefined if there is none to be read. */
  serialNumber(root: string): Promise<number | undefined>;
  /** Opens `\\.\E:` and the like for reading and writing, or with `query` only to ask about it. */
  openDevice(path: string, access: "write" | "query"): Handle;
  /** Sends a control code, and returns what comes back, at most `outputBytes`. */
  control(
    device: Handle,
    code: number,
    input: Uint8Array,
    outputBytes: number,
  ): Promise<Uint8Array>;
  close(handle: Handle): void;
}

const readAndWrite = 0xc000_0000;
const shareAll = 7;
const openExisting = 3;

type Done = (error: Error | null, result: number) => void;

const calls = lazyLibrary("kernel32.dll", (library) => ({
  GetLogicalDrives: library.func("uint32_t GetLogicalDrives()") as () => number,
  GetDriveTypeW: library.func("uint32_t GetDriveTypeW(str16)") as (root: string) => number,
  GetVolumeInformationW: library.func(
    "int GetVolumeInformationW(str16, void *, uint32_t, _Out_ uint32_t *, void *, void *, void *, uint32_t)",
  ) as {
    async(
      root: string,
      name: null,
      nameUnits: number,
      serial: Uint32Array,
      longest: null,
      flags: null,
      fileSystem: null,
      fileSystemUnits: number,
      done: Done,
    ): void;
  },
  CreateFileW: library.func(
    "intptr_t CreateFileW(str16, uint32_t, uint32_t, void *, uint32_t, uint32_t, intptr_t)",
  ) as (
    path: string,
    access: number,
    share: number,
    security: null,
    disposition: number,
    flags: number,
    template: number,
  ) => Handle,
  DeviceIoControl: library.func(
    "int DeviceIoControl(intptr_t, uint32_t, const uint8_t *, uint32_t, _Out_ uint8_t *, uint32_t, _Out_ uint32_t *, void *)",
  ) as {
    async(
      device: Handle,
      code: number,
      input: Uint8Array,
      inputBytes: number,
      output: Uint8Array,
      outputBytes: number,
      returned: Uint32Array,
      overlapped: null,
      done: Done,
    ): void;
  },
  CloseHandle: library.func("int CloseHandle(intptr_t)") as (handle: Handle) => number,
}));

export const volumeCalls: VolumeCalls = {
  driveLetters: () => calls().GetLogicalDrives(),
  driveType: (root) => calls().GetDriveTypeW(root),

  serialNumber: async (root) =>
    await new Promise((resolve, reject) => {
      const serial = new Uint32Array(1);
      calls().GetVolumeInformationW.async(
        root,
        null,
        0,
        serial,
        null,
        null,
        null,
        0,
        (error, ok) => {
          if (error !== null) reject(error);
          else resolve(ok === 0 ? undefined : serial[0]);
        },
      );
    }),

  openDevice(path, access) {
    const rights = access === "write" ? readAndWrite : 0;
    const handle = calls().CreateFileW(path, rights, shareAll, null, openExisting, 0, 0);
    check(Number(handle) !== invalidHandle, `CreateFileW ${path}`);
    return handle;
  },

  control: async (device, code, input, outputBytes) =>
    await new Promise((resolve, reject) => {
      const output = Buffer.alloc(Math.max(1, outputBytes));
      const returned = new Uint32Array(1);
      const done: Done = (error, succeeded) => {
        if (error !== null) return reject(error);
        try {
          check(succeeded !== 0, `DeviceIoControl 0x${code.toString(16)}`);
          resolve(output.subarray(0, returned[0]));
        } catch (refusal) {
          reject(refusal);
        }
      };
      const [from, to] = [input.length, outputBytes];
      calls().DeviceIoControl.async(device, code, input, from, output, to, returned, null, done);
    }),

  close(handle) {
    calls().CloseHandle(handle);
  },
};
