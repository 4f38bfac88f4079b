/** Priorities, memory and starts of processes, from `/proc`. */
import { readdirSync, readFileSync } from "node:fs";
import { constants, setPriority } from "node:os";
import type { ProcessLimits } from "../ports/process-limits.ts";
import { declareCall } from "./libc.ts";

/** `ioprio_set`: of one thread, the class that only gets the disk when nobody else wants it. */
const ioprio = { call: process.arch === "x64" ? 251 : 30, whoProcess: 1, idle: 3 << 13 } as const;

export class LinuxProcessLimits implements ProcessLimits {
  /** Linux gives priorities to threads; new ones inherit from who starts them. */
  yieldToOthers(): void {
    const systemCall = declareCall("syscall", "int64", ["int64", "int64", "int64", "int64"]);
    for (const thread of readdirSync("/proc/self/task")) {
      try {
        setPriority(Number(thread), constants.priority.PRIORITY_LOW);
      } catch {
        // It has ended, or a sandbox forbids it.
      }
      systemCall(ioprio.call, ioprio.whoProcess, Number(thread), ioprio.idle);
    }
  }

  residentBytes(processId: number): number | undefined {
    const kibibytes = /^VmRSS:\s*(\d+) kB$/m.exec(procFile(processId, "status") ?? "")?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  }

  startOf(processId: number): string | undefined {
    const stat = procFile(processId, "stat");
    // The second field is the program's name in brackets, which may hold anything.
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, ticks] = [fields?.[0], fields?.[19]];
    // What has ended and was not collected yet is gone.
    return ticks === undefined || state === "Z" || state === "X" ? undefined : ticks;
  }

  boot(): { readonly uptimeMs: number; readonly id: string } {
    const seconds = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
    const id = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return { uptimeMs: Math.round(seconds * 1000), id };
  }
}

function procFile(processId: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${processId}/${name}`, "utf8");
  } catch {
    return undefined;
  }
}
