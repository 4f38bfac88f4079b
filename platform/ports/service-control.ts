/** The system's service manager, as a service speaks to it about itself. Every call is harmless where there is none. */

export interface ServiceControl {
  /** Who started this process; `none` for one started by hand. */
  readonly kind: "systemd" | "windows" | "launchd" | "none";
  /** Between two signs of life at most, ms; undefined if nobody waits for any. */
  readonly watchdogMs: number | undefined;
  ready(status: string): void;
  status(text: string): void;
  alive(): void;
  reloading(): void;
  /** Stopping has begun and may take that long. */
  stopping(extraMs: number): void;
  /** Called once when the manager wants the service to end, or to read its settings again. */
  onRequest(handler: (request: "stop" | "reload") => void): void;
  stopped(): void;
}
