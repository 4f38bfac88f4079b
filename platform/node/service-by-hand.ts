/** A service that somebody started in a shell: there is no manager to tell anything, but wishes come as signals. */
import type { ServiceControl, ServiceRequest } from "../ports/service-control.ts";
import { RequestSignals } from "./request-signals.ts";

export class ServiceByHand implements ServiceControl {
  readonly kind = "none";
  readonly watchdogMs = undefined;
  readonly #signals: RequestSignals;

  /** `isTerminalGone` tells whether the terminal that the process was started on is there no more. */
  constructor(isTerminalGone: () => boolean) {
    this.#signals = new RequestSignals({
      SIGINT: () => "stop",
      SIGTERM: () => "stop",
      SIGHUP: () => (isTerminalGone() ? "stop" : "reload"),
      ...(process.platform === "win32" ? { SIGBREAK: () => "stop" } : {}),
    });
  }

  onRequest(handler: (request: ServiceRequest) => void): void {
    this.#signals.listen(handler);
  }

  stopped(): void {
    this.#signals.close();
  }

  ready(): void {}
  status(): void {}
  alive(): void {}
  reloading(): void {}
  stopping(): void {}
}
