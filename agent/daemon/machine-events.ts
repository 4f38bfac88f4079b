/** Hears what happens to the machine and its users, and tells those whom it concerns. */
import type { Probe, SystemEvent, SystemEvents } from "../../platform/ports/system-events.ts";
import type { EventKind } from "../../protocol/policy/schedule-rules.ts";
import type { HappenedEvent } from "../../protocol/schedule/schedule-facts.ts";

export interface MachineEventsParts {
  readonly events: SystemEvents;
  /** Something that may start runs: of the policies whose target is there now, or of all. */
  readonly happened: (
    event: HappenedEvent,
    target?: { readonly path: string; readonly fileSystemId?: string },
  ) => void;
  /** What rules ask of the machine may have other answers now. */
  readonly rulesChanged: () => void;
  /** The clock or the time zone was set, or time has passed in sleep. */
  readonly timeChanged: () => void;
  readonly onEvent: (event: SystemEvent) => void;
}

/** What has to be there for an event: the name of its probe. */
export const sourceOfEvent: Readonly<Record<EventKind, string | undefined>> = {
  lock: "sessions",
  unlock: "sessions",
  "log-on": "sessions",
  "log-off": "sessions",
  "target-connected": "mounts",
  // The agent itself sees that the machine was started.
  "power-on": undefined,
  resume: "sleep",
  "network-change": "network",
};

export class MachineEvents {
  readonly #parts: MachineEventsParts;
  #probes: ReadonlyMap<string, Probe> = new Map();

  constructor(parts: MachineEventsParts) {
    this.#parts = parts;
  }

  /** What each source can do, as it was at the start. */
  get probes(): ReadonlyMap<string, Probe> {
    return this.#probes;
  }

  async start(): Promise<void> {
    this.#probes = await this.#parts.events.start((event) => this.#take(event));
  }

  async stop(): Promise<void> {
    await this.#parts.events.stop();
  }

  #take(event: SystemEvent): void {
    const { happened, rulesChanged, timeChanged, onEvent } = this.#parts;
    onEvent(event);
    switch (event.kind) {
      case "lock":
      case "unlock":
      case "log-on":
      case "log-off": {
        const who = event.user === undefined ? "" : ` of ${event.user}`;
        happened({ kind: event.kind, text: `${event.kind}${who}` });
        break;
      }
      case "mounted": {
        const { path, fileSystemId } = event;
        const target = { path, ...(fileSystemId !== undefined && { fileSystemId }) };
        rulesChanged();
        happened({ kind: "target-connected", text: `${path} was connected` }, target);
        break;
      }
      case "resume":
        timeChanged();
        happened({ kind: "resume", text: "the machine woke up" });
        break;
      case "network-change":
        rulesChanged();
        happened({ kind: "network-change", text: "the network changed" });
        break;
      case "unmounted":
      case "power-change":
        rulesChanged();
        break;
      case "time-change":
        timeChanged();
        break;
      case "sleep":
      case "shutdown":
        // The machine's end comes to this process as a wish to end.
        break;
    }
  }
}
