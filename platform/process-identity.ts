/** Who this process is, as far as another process of the same machine can tell whether it still runs. */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname, userInfo } from "node:os";

export interface ProcessIdentity {
  readonly hostName: string;
  /** Empty if the account has no name, as it happens in containers. */
  readonly userName: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Identifies the installation of the system, empty if unknown. */
  readonly machine: string;
  /** Differs after each boot, empty if unknown. */
  readonly boot: string;
  /** Space in which process ids are unique, empty if unknown. */
  readonly pidSpace: string;
}

export function processIdentity(): ProcessIdentity {
  return {
    hostName: hostname(),
    userName: userName(),
    pid: process.pid,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    machine: firstLine("/etc/machine-id"),
    boot: firstLine("/proc/sys/kernel/random/boot_id"),
    pidSpace: linkTarget("/proc/self/ns/pid"),
  };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "";
  }
}

/** True if a process of this id exists in our own space; without permission to ask, it does. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function firstLine(path: string): string {
  try {
    return readFileSync(path, "utf8").trim().slice(0, 64);
  } catch {
    // The file exists on Linux only; elsewhere the identity stays less precise.
    return "";
  }
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path).slice(0, 64);
  } catch {
    // As above: pid namespaces are Linux's.
    return "";
  }
}
