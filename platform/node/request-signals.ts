/** Signals as wishes to a service. */
import type { ServiceRequest } from "../ports/service-control.ts";

/** Which signal means what, decided when it comes. */
export type SignalMeanings = Readonly<Partial<Record<NodeJS.Signals, () => ServiceRequest>>>;

export class RequestSignals {
  readonly #meanings: SignalMeanings;
  #listeners: readonly (readonly [NodeJS.Signals, () => void])[] = [];

  constructor(meanings: SignalMeanings) {
    this.#meanings = meanings;
  }

  /** Sends each wish to `handler` from now on, and to no other. */
  listen(handler: (request: ServiceRequest) => void): void {
    const before = this.#listeners;
    this.#listeners = Object.entries(this.#meanings).map(
      ([signal, meaning]) => [signal as NodeJS.Signals, () => handler(meaning())] as const,
    );
    // First the new ones: a signal without a listener ends the process.
    for (const [signal, listener] of this.#listeners) process.on(signal, listener);
    for (const [signal, listener] of before) process.off(signal, listener);
  }

  /** The signals do what the system has them do. */
  close(): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
    this.#listeners = [];
  }
}
