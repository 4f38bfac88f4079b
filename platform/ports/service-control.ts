/** The system's service manager, as a service speaks to it about itself. Every call is harmless where there is none. */

export type ServiceRequest = "stop" | "reload";

export interface ServiceControl {
  /** Who started this process; `none` for one started by hand. */
  readonly kind: "systemd" | "windows" | "launchd" | "none";
  /** Between two signs of life at most, ms; undefined if nobody waits for any. */
  readonly watchdogMs: number | undefined;
  /** The start is over, or settings have been read again. */
  ready(status: string): void;
  /** One line for people; what stands after a line end is not shown. */
  status(text: string): void;
  alive(): void;
  /** Settings are being read again; `ready` ends that. */
  reloading(): void;
  /** Stopping has begun, and may take `extraMs` from now on. May be said again while it goes on. */
  stopping(extraMs: number): void;
  /**
   * `handler` is called each time the manager, or who started the process by hand, wants it to end or to read its settings
   * again; a second call replaces the first. Until then such a wish ends the process at once.
   */
  onRequest(handler: (request: ServiceRequest) => void): void;
  /** Last call of all: the process is about to end. Wishes that come now end it at once. */
  stopped(): void;
}
