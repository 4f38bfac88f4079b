/** The calls of wtsapi32.dll about sessions of people, typed. */
import { check, copyOf, lazyLibrary, textOfWide } from "./windows-calls.ts";

export interface SessionCalls {
  /** Numbers of all sessions. */
  sessions(): readonly number[];
  /** Whose it is; empty for one at the logon screen, undefined if it is gone. */
  userOf(session: number): string | undefined;
  /** The first 20 bytes of WTSINFOEXW; undefined if it is gone. */
  infoOf(session: number): Uint8Array | undefined;
}

const sessionInfoBytes = 24;
const infoBytes = 20;
const userNameClass = 5;
const infoExClass = 25;

const calls = lazyLibrary("wtsapi32.dll", (library) => ({
  WTSEnumerateSessionsW: library.func(
    "int WTSEnumerateSessionsW(intptr_t, uint32_t, uint32_t, _Out_ uint64_t *, _Out_ uint32_t *)",
  ) as (
    server: number,
    reserved: number,
    version: number,
    list: BigUint64Array,
    count: Uint32Array,
  ) => number,
  WTSQuerySessionInformationW: library.func(
    "int WTSQuerySessionInformationW(intptr_t, uint32_t, int, _Out_ uint64_t *, _Out_ uint32_t *)",
  ) as (
    server: number,
    session: number,
    kind: number,
    buffer: BigUint64Array,
    bytes: Uint32Array,
  ) => number,
  WTSFreeMemory: library.func("void WTSFreeMemory(uint64_t)") as (memory: bigint) => void,
}));

export const sessionCalls: SessionCalls = {
  sessions() {
    const list = new BigUint64Array(1);
    const count = new Uint32Array(1);
    check(calls().WTSEnumerateSessionsW(0, 0, 1, list, count) !== 0, "WTSEnumerateSessionsW");
    try {
      const bytes = copyOf(list[0], count[0] * sessionInfoBytes);
      const view = new DataView(bytes.buffer);
      return Array.from({ length: count[0] }, (_, i) => view.getUint32(i * sessionInfoBytes, true));
    } finally {
      calls().WTSFreeMemory(list[0]);
    }
  },

  userOf(session) {
    const found = query(session, userNameClass);
    return found === undefined ? undefined : textOfWide(found);
  },

  infoOf(session) {
    const found = query(session, infoExClass);
    return found === undefined || found.length < infoBytes ? undefined : found.slice(0, infoBytes);
  },
};

function query(session: number, kind: number): Uint8Array | undefined {
  const buffer = new BigUint64Array(1);
  const bytes = new Uint32Array(1);
  if (calls().WTSQuerySessionInformationW(0, session, kind, buffer, bytes) === 0) return undefined;
  try {
    return copyOf(buffer[0], bytes[0]);
  } finally {
    calls().WTSFreeMemory(buffer[0]);
  }
}
