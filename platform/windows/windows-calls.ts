/** What all facades of Windows libraries share: loading at the first use, and failures as errors. */
import koffi, { type LibraryHandle } from "koffi";

/** What Windows calls a HANDLE, as koffi gives it for `intptr_t`. */
export type Handle = number | bigint;

export const invalidHandle = -1;

/** A call that Windows refused. Never leaves the adapters. */
export class WindowsError extends Error {
  readonly call: string;
  /** What `GetLastError`, or the call itself, gave. */
  readonly code: number;

  constructor(call: string, code: number) {
    super(`${call}: ${reasons[code] ?? `error ${code}`}`);
    this.name = "WindowsError";
    this.call = call;
    this.code = code;
  }
}

/** The numbers that decide what is done next. */
export const windowsErrors = {
  accessDenied: 5,
  moreData: 234,
  noMoreItems: 259,
  notStartedByManager: 1063,
} as const;

const reasons: Readonly<Record<number, string>> = {
  1: "Windows does not know how (error 1)",
  2: "not found (error 2)",
  3: "not found (error 3)",
  5: "access denied (error 5)",
  21: "the device is not ready (error 21)",
  32: "in use by another program (error 32)",
  50: "not supported (error 50)",
  1063: "not started as a service (error 1063)",
  1314: "a privilege is missing (error 1314)",
};

/** Gives the library of that name, loaded at the first call of the result and kept. */
export function lazyLibrary<Calls>(
  name: string,
  declare: (library: LibraryHandle) => Calls,
): () => Calls {
  let calls: Calls | undefined;
  return () => {
    calls ??= declare(koffi.load(name));
    return calls;
  };
}

const threadErrors = lazyLibrary("kernel32.dll", (library) => ({
  GetLastError: library.func("uint32_t GetLastError()") as () => number,
}));

/** Throws what went wrong in the call made just now, unless it `succeeded`. */
export function check(succeeded: boolean, call: string): void {
  if (!succeeded) throw new WindowsError(call, threadErrors().GetLastError());
}

/** Throws unless `code` is 0, for calls that return their error. */
export function checkCode(code: number, call: string): void {
  if (code !== 0) throw new WindowsError(call, code);
}

/** A text as Windows wants it in memory: UTF-16 with a zero at its end. */
export function wideText(text: string): Buffer {
  return Buffer.from(`${text}\0`, "utf16le");
}

/** The text of UTF-16 units up to a zero or the end. */
export function textOfWide(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf16le");
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** A copy of memory that Windows lends for the duration of a call. */
export function copyOf(pointer: unknown, sizeBytes: number): Uint8Array {
  if (sizeBytes === 0) return new Uint8Array(0);
  const bytes = koffi.decode(pointer, koffi.array("uint8_t", sizeBytes, "Typed")) as Uint8Array;
  return Uint8Array.from(bytes);
}
