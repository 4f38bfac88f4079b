/** Events where no adapter knows this system: none, and the probes say so. */
import type { Probe, SystemEvents } from "../ports/system-events.ts";

const sources = ["sessions", "sleep", "shutdown", "mounts", "network", "power", "time"];

export class PortableSystemEvents implements SystemEvents {
  start(): Promise<ReadonlyMap<string, Probe>> {
    const probe = { available: false, reason: "not supported on this system yet" };
    return Promise.resolve(new Map(sources.map((source) => [source, probe])));
  }

  isLocked(): Promise<boolean | undefined> {
    return Promise.resolve(undefined);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
