/**
 * Writing small numbers of large new files so that they survive a power cut, or are not there at all.
 * Asynchronous: waits happen outside the calling thread.
 *
 * Failures reject with the system's error (`code`, `errno`, `syscall`), or with the signal's reason.
 */
export interface DurableFiles {
  /** False once this system was seen to be unable to refuse a taken name without a race. */
  readonly atomicCreate: boolean;

  /**
   * Memory that `createFile` can hand to the disk without a copy: zeroed, on an ArrayBuffer of its own
   * that may be transferred to another thread, or on a shared one. `sizeBytes` from 0.
   */
  allocateAligned(sizeBytes: number, isShared?: boolean): Uint8Array;

  /** True if `data` begins at an address that is a multiple of 4096. */
  isAligned(data: Uint8Array): boolean;

  /**
   * Creates the file `path` with exactly `data`, durable with its name when it resolves. `exists` if the
   * name was taken: then nothing changed. When it rejects or the process dies, there is either no file
   * of that name or the whole one. The folder must exist. `mode` holds the final permission bits; a file
   * system that knows none is no error. `data` may not be changed meanwhile.
   */
  createFile(
    path: string,
    data: Uint8Array,
    mode: number,
    signal: AbortSignal,
  ): Promise<"created" | "exists">;

  /**
   * As `createFile`, but takes the place of a file of that name: afterwards, whatever happened, the old file is there or
   * the new one, whole. For small files: the old one stays until the new one is on the disk.
   */
  replaceFile(path: string, data: Uint8Array, mode: number, signal: AbortSignal): Promise<void>;

  /** Makes the content of an existing file and its name durable. */
  syncFile(path: string): Promise<void>;

  /** Makes the names in a folder durable. */
  syncDirectory(path: string): Promise<void>;

  /** True for names of temporary files of `createFile` and `replaceFile`, of any version and machine. */
  isTemporaryName(name: string): boolean;
}

/** A promise that the file system does not let us keep. */
export type DurabilityWarning = "sync-unsupported";

/** The warnings for people. */
export const durabilityWarningText: Readonly<Record<DurabilityWarning, string>> = {
  "sync-unsupported":
    "The file system of the repository cannot force data to its disk: a power cut may lose what was reported as stored.",
};
