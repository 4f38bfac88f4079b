/** The calls of crypt32.dll that seal data (DPAPI), typed. */
import koffi from "koffi";
import { check, copyOf, type Handle, lazyLibrary } from "./windows-calls.ts";

export interface DataProtection {
  /** `entropy` must be the same at opening. Both throw if Windows refuses. */
  protect(data: Uint8Array, entropy: Uint8Array): Uint8Array;
  unprotect(sealed: Uint8Array, entropy: Uint8Array): Uint8Array;
}

/** Never ask a person; any account of this machine, as the agent and its administrators have different ones. */
const flags = 0x1 | 0x4;
const blobBytes = 16;

type Convert = (
  input: Uint8Array,
  description: null,
  entropy: Uint8Array,
  reserved: null,
  prompt: null,
  flags: number,
  output: Uint8Array,
) => number;

const parameters =
  "(const uint8_t *, const void *, const uint8_t *, const void *, const void *, uint32_t, _Out_ uint8_t *)";

const calls = lazyLibrary("crypt32.dll", (library) => ({
  CryptProtectData: library.func(`int CryptProtectData${parameters}`) as Convert,
  CryptUnprotectData: library.func(`int CryptUnprotectData${parameters}`) as Convert,
}));

const kernel = lazyLibrary("kernel32.dll", (library) => ({
  LocalFree: library.func("intptr_t LocalFree(intptr_t)") as (memory: Handle) => Handle,
}));

export const dataProtection: DataProtection = {
  protect: (data, entropy) => convert("CryptProtectData", data, entropy),
  unprotect: (sealed, entropy) => convert("CryptUnprotectData", sealed, entropy),
};

function convert(
  name: "CryptProtectData" | "CryptUnprotectData",
  data: Uint8Array,
  entropy: Uint8Array,
): Uint8Array {
  const output = Buffer.alloc(blobBytes);
  const done = calls()[name](blobOf(data), null, blobOf(entropy), null, null, flags, output);
  check(done !== 0, name);
  const memory = output.readBigUInt64LE(8);
  try {
    return copyOf(memory, output.readUInt32LE(0));
  } finally {
    kernel().LocalFree(memory);
  }
}

/** DATA_BLOB: how many bytes, and where. The bytes must stay alive until the call is over. */
function blobOf(bytes: Uint8Array): Buffer {
  const blob = Buffer.alloc(blobBytes);
  blob.writeUInt32LE(bytes.length, 0);
  blob.writeBigUInt64LE(koffi.address(bytes), 8);
  return blob;
}
