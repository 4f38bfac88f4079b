/** Events for tests: what a test says has happened. */
import type { Probe, SystemEvent, SystemEvents } from "../ports/system-events.ts";

export class FakeSystemEvents implements SystemEvents {
  locked: boolean | undefined;
  #emit: ((event: SystemEvent) => void) | undefined;

  /** Tells whoever listens; nobody before the start and after the stop. */
  happen(event: SystemEvent): void {
    this.#emit?.(event);
  }

  async start(emit: (event: SystemEvent) => void): Promise<ReadonlyMap<string, Probe>> {
    this.#emit = emit;
    const sources = ["sessions", "sleep", "shutdown", "mounts", "network", "power", "time"];
    return new Map(sources.map((name) => [name, { available: true, reason: "fake" }]));
  }

  async isLocked(): Promise<boolean | undefined> {
    return this.locked;
  }

  async stop(): Promise<void> {
    this.#emit = undefined;
  }
}
