/** Opening without following symlinks, without waiting, and without leaving a trace in access times. */
import { lastErrorName, libc, openFlags } from "./libc.ts";

/** A file under a lease (Samba's oplocks) answers EAGAIN until its holder has let go of it. */
const leaseWaitMs = 25;
const leaseAttempts = 80;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** What `tryOpen` tells: a descriptor, or the name of the error. */
export type OpenResult = number | string;

/**
 * Opens for reading with `flags` added to O_CLOEXEC and, where the system grants it, O_NOATIME.
 * Interrupted calls are repeated; a leased file is waited for, 2 s at most.
 */
export function tryOpen(directory: number, pathAddress: number, flags: number): OpenResult {
  const calls = libc();
  const always = flags | openFlags.readOnly | openFlags.closeOnExec;
  // Only the owner of a file, or root, may leave its access time alone.
  let wanted = always | openFlags.noAccessTime;
  let leaseTries = 0;
  for (;;) {
    const descriptor = calls.openat(directory, pathAddress, wanted, 0);
    if (descriptor >= 0) {
      return descriptor;
    }
    const code = lastErrorName();
    if (code === "EPERM" && wanted !== always) {
      wanted = always;
    } else if (code === "EAGAIN" && leaseTries < leaseAttempts) {
      leaseTries++;
      Atomics.wait(sleeper, 0, 0, leaseWaitMs);
    } else if (code !== "EINTR") {
      return code;
    }
  }
}
