/** The calls of iphlpapi.dll and wlanapi.dll about networks, typed. */
import koffi from "koffi";
import { decodeAdapters, type NetworkAdapter } from "./network-adapters.ts";
import { checkCode, copyOf, type Handle, lazyLibrary } from "./windows-calls.ts";
import { decodeConnection, decodeInterfaces } from "./wireless-names.ts";

const anyFamily = 0;
/** No unicast, anycast, multicast addresses and servers of names; but gateways. */
const adapterFlags = 0x1 | 0x2 | 0x4 | 0x8 | 0x80;
const bufferOverflow = 111;
const noData = 232;
const firstBytes = 32 * 1024;
const clientVersion = 2;
const interfaceListHeadBytes = 8;
const interfaceBytes = 532;
const currentConnection = 7;
const serviceNotActive = 1062;

const helper = lazyLibrary("iphlpapi.dll", (library) => ({
  GetAdaptersAddresses: library.func(
    "uint32_t GetAdaptersAddresses(uint32_t, uint32_t, void *, uint8_t *, _Inout_ uint32_t *)",
  ) as (
    family: number,
    flags: number,
    reserved: null,
    buffer: Uint8Array,
    bytes: Uint32Array,
  ) => number,
}));

const wireless = lazyLibrary("wlanapi.dll", (library) => ({
  WlanOpenHandle: library.func(
    "uint32_t WlanOpenHandle(uint32_t, void *, _Out_ uint32_t *, _Out_ uint64_t *)",
  ) as (version: number, reserved: null, agreed: Uint32Array, handle: BigUint64Array) => number,
  WlanEnumInterfaces: library.func(
    "uint32_t WlanEnumInterfaces(intptr_t, void *, _Out_ uint64_t *)",
  ) as (handle: Handle, reserved: null, list: BigUint64Array) => number,
  WlanQueryInterface: library.func(
    "uint32_t WlanQueryInterface(intptr_t, const uint8_t *, int, void *, _Out_ uint32_t *, _Out_ uint64_t *, void *)",
  ) as (
    handle: Handle,
    id: Uint8Array,
    question: number,
    reserved: null,
    bytes: Uint32Array,
    answer: BigUint64Array,
    kind: null,
  ) => number,
  WlanFreeMemory: library.func("void WlanFreeMemory(uint64_t)") as (memory: bigint) => void,
  WlanCloseHandle: library.func("uint32_t WlanCloseHandle(intptr_t, void *)") as (
    handle: Handle,
    reserved: null,
  ) => number,
}));

/** All adapters of this machine. Throws if Windows refuses. */
export function networkAdapters(): readonly NetworkAdapter[] {
  const bytes = Uint32Array.of(firstBytes);
  for (;;) {
    const buffer = Buffer.alloc(bytes[0]);
    const code = helper().GetAdaptersAddresses(anyFamily, adapterFlags, null, buffer, bytes);
    if (code === noData) return [];
    if (code === bufferOverflow && bytes[0] > buffer.length) continue;
    checkCode(code, "GetAdaptersAddresses");
    return decodeAdapters(buffer, koffi.address(buffer));
  }
}

/** Names of the wireless networks in use; none without a wireless service. Throws if Windows keeps them to itself. */
export function wirelessNames(): readonly string[] {
  const handle = new BigUint64Array(1);
  const opened = wireless().WlanOpenHandle(clientVersion, null, new Uint32Array(1), handle);
  if (opened === serviceNotActive) return [];
  checkCode(opened, "WlanOpenHandle");
  try {
    const list = new BigUint64Array(1);
    checkCode(wireless().WlanEnumInterfaces(handle[0], null, list), "WlanEnumInterfaces");
    const ids = interfaceIds(list[0]);
    return ids.flatMap((id) => nameOf(handle[0], id) ?? []);
  } finally {
    wireless().WlanCloseHandle(handle[0], null);
  }
}

function interfaceIds(list: bigint): readonly Uint8Array[] {
  try {
    const head = copyOf(list, interfaceListHeadBytes);
    const count = new DataView(head.buffer).getUint32(0, true);
    return decodeInterfaces(copyOf(list, interfaceListHeadBytes + count * interfaceBytes));
  } finally {
    wireless().WlanFreeMemory(list);
  }
}

function nameOf(handle: bigint, id: Uint8Array): string | undefined {
  const bytes = new Uint32Array(1);
  const answer = new BigUint64Array(1);
  const query = wireless().WlanQueryInterface;
  checkCode(query(handle, id, currentConnection, null, bytes, answer, null), "WlanQueryInterface");
  try {
    return decodeConnection(copyOf(answer[0], bytes[0]));
  } finally {
    wireless().WlanFreeMemory(answer[0]);
  }
}
