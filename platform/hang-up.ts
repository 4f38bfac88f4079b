/**
 * The signal that a closed terminal sends, and that restic sends to find out whether the holder of a lock still
 * lives: `restic unlock` would end every process whose lock it only wants to look at.
 */
import { closeSync, openSync } from "node:fs";

/** Keeps the signal from ending this process until the returned function is called. */
export function outliveHangUp(): () => void {
  const ignore = (): void => undefined;
  process.on("SIGHUP", ignore);
  return () => process.off("SIGHUP", ignore);
}

/** True if this process has a terminal that is still there. Always false where there is no `/dev/tty`. */
export function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}
