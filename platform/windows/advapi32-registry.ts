/** Reading the registry, typed. */
import { checkCode, type Handle, lazyLibrary, textOfWide, windowsErrors } from "./windows-calls.ts";

/** The roots that are read. */
export const registryRoots = { machine: 0x8000_0002, users: 0x8000_0003 } as const;

export interface RegistryCalls {
  /** Names of the keys right below one; empty if it is absent or may not be read. */
  keys(root: number, path: string): readonly string[];
  /** A text, with the variables in it as they stand; undefined as above. */
  text(root: number, path: string, name: string): string | undefined;
}

const enumerateKeys = 8;
const nameUnitsMax = 256;
const valueBytesMax = 64 * 1024;
/** Plain and expandable texts, unexpanded. */
const textsAsTheyStand = 0x2 | 0x4 | 0x1000_0000;

const calls = lazyLibrary("advapi32.dll", (library) => ({
  RegOpenKeyExW: library.func(
    "int RegOpenKeyExW(intptr_t, str16, uint32_t, uint32_t, _Out_ int64_t *)",
  ) as (root: Handle, path: string, options: number, access: number, key: BigInt64Array) => number,
  RegEnumKeyExW: library.func(
    "int RegEnumKeyExW(intptr_t, uint32_t, _Out_ uint8_t *, _Inout_ uint32_t *, void *, void *, void *, void *)",
  ) as (
    key: Handle,
    at: number,
    name: Uint8Array,
    units: Uint32Array,
    reserved: null,
    className: null,
    classUnits: null,
    written: null,
  ) => number,
  RegCloseKey: library.func("int RegCloseKey(intptr_t)") as (key: Handle) => number,
  RegGetValueW: library.func(
    "int RegGetValueW(intptr_t, str16, str16, uint32_t, void *, _Out_ uint8_t *, _Inout_ uint32_t *)",
  ) as (
    key: Handle,
    path: string,
    name: string,
    flags: number,
    type: null,
    value: Uint8Array,
    bytes: Uint32Array,
  ) => number,
}));

export const registryCalls: RegistryCalls = {
  keys(root, path) {
    const key = new BigInt64Array(1);
    if (calls().RegOpenKeyExW(root, path, 0, enumerateKeys, key) !== 0) return [];
    try {
      const names: string[] = [];
      for (;;) {
        const name = Buffer.alloc(nameUnitsMax * 2);
        const units = Uint32Array.of(nameUnitsMax);
        const code = calls().RegEnumKeyExW(
          key[0],
          names.length,
          name,
          units,
          null,
          null,
          null,
          null,
        );
        if (code === windowsErrors.noMoreItems) return names;
        checkCode(code, "RegEnumKeyExW");
        names.push(textOfWide(name.subarray(0, units[0] * 2)));
      }
    } finally {
      calls().RegCloseKey(key[0]);
    }
  },

  text(root, path, name) {
    const value = Buffer.alloc(valueBytesMax);
    const bytes = Uint32Array.of(value.length);
    const code = calls().RegGetValueW(root, path, name, textsAsTheyStand, null, value, bytes);
    return code === 0 ? textOfWide(value.subarray(0, bytes[0])) : undefined;
  },
};
