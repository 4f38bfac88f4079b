/** Finds out who started this process as a service, and speaks to them. */
import { hasTerminal } from "./hang-up.ts";
import { takeSystemdService } from "./linux/systemd-service.ts";
import { ServiceByHand } from "./node/service-by-hand.ts";
import type { ServiceControl } from "./ports/service-control.ts";
import { takeWindowsService } from "./windows/windows-service.ts";

/**
 * To be called once, early, with the environment of the process itself: what is meant for this process alone is taken out of
 * it (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`).
 */
export function openServiceControl(
  environment: Record<string, string | undefined>,
): ServiceControl {
  const managed = takeManagedService(environment);
  if (managed !== undefined) return managed;
  const hadTerminal = hasTerminal();
  // Windows sends the signal only when the console is closed.
  const isTerminalGone = (): boolean =>
    process.platform === "win32" || (hadTerminal && !hasTerminal());
  return new ServiceByHand(isTerminalGone);
}

function takeManagedService(
  environment: Record<string, string | undefined>,
): ServiceControl | undefined {
  switch (process.platform) {
    case "linux":
      return takeSystemdService(environment);
    case "win32":
      return takeWindowsService();
    default:
      return undefined;
  }
}
