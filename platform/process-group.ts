/** A process that was started with `detached: true`, together with all that it has started. */
import { spawnSync } from "node:child_process";
import path from "node:path";

/**
 * Asks the group of a process to end (`end`; nothing on Windows, which has no such request), or ends it at once
 * (`kill`). Harmless if it is gone; the id must be of a process that the caller knows to be its own.
 */
export function endProcessGroup(leaderId: number, how: "end" | "kill"): void {
  if (process.platform === "win32") {
    if (how === "kill") killTree(leaderId);
    return;
  }
  try {
    process.kill(-leaderId, how === "end" ? "SIGTERM" : "SIGKILL");
  } catch {
    // All of it has ended.
  }
}

function killTree(rootId: number): void {
  // With its full path: a program of the same name in a working folder must not run as the service.
  const program = path.win32.join("C:\\Windows", "System32", "taskkill.exe");
  spawnSync(program, ["/PID", String(rootId), "/T", "/F"], { windowsHide: true, stdio: "ignore" });
}
