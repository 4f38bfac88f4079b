/** Takes locks that keep a second process out. */
import { closeSync, constants, ftruncateSync, openSync, writeSync } from "node:fs";
import { BackstayError } from "../protocol/backstay-error.ts";
import { lockWholeFile } from "./linux/whole-file-lock.ts";
import type { InstanceLock } from "./ports/instance-lock.ts";

/** Flags with which macOS and (through libuv) Windows refuse to open a file that somebody else has open this way. */
const darwinExclusive = 0x20 | constants.O_NONBLOCK;
const windowsExclusive = 0x1000_0000;

/**
 * Locks the file `path`, which is made if it is not there and stays when the lock is gone. Undefined if another
 * process holds the lock. The file holds the process id, for people. DAEMON_PLACE if the file can't be opened or locked.
 */
export function openInstanceLock(path: string): InstanceLock | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | systemFlag(), 0o600);
    if (process.platform === "linux" && !lockWholeFile(descriptor)) {
      closeSync(descriptor);
      return undefined;
    }
    ftruncateSync(descriptor);
    writeSync(descriptor, `${process.pid}\n`);
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor);
    if (isHeldElsewhere(error)) return undefined;
    const problem = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new BackstayError("DAEMON_PLACE", { path, problem }, error);
  }
  return new HeldLock(descriptor);
}

class HeldLock implements InstanceLock {
  #descriptor: number | undefined;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  release(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

function systemFlag(): number {
  if (process.platform === "darwin") return darwinExclusive;
  return process.platform === "win32" ? windowsExclusive : constants.O_NOFOLLOW;
}

function isHeldElsewhere(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  if (process.platform === "darwin") return code === "EAGAIN" || code === "EWOULDBLOCK";
  return process.platform === "win32" && (code === "EBUSY" || code === "EPERM");
}
